// Sizes, and learners side by side in the lanes of vectors; included by kernel.h inside its namespace.
#pragma once

// Sizes that every block of lanes shares.
struct Shape {
  int features, hidden_units, layers;
  int inputs(int layer) const { return layer == 0 ? features : hidden_units; }
  int outputs(int layer) const { return layer == layers ? 1 : hidden_units; }
  long parameters() const {
    long count = 0;
    for (int layer = 0; layer <= layers; layer++) count += (long)(inputs(layer) + 1) * outputs(layer);
    return count;
  }
};

// Up to `lanes` learners side by side, on `group` = WIDTH / lanes rows at once. A vector's lane g * lanes + l belongs to
// learner l and row g of the group; so the outputs and deltas are plain [row][lanes], whatever the group is.
template <class T>
struct Block {
  int lanes, group, first, used;  // the first learner; how many lanes hold one
  long count;                     // of the parameters of all lanes, filled up with zeros to pairs of vectors
  T *parameters, *gradient, *mean, *square;  // [parameter][lane]; the gradient first [parameter][WIDTH]
  T* weights;                     // w_j of each of the lanes, 0 for lanes without a learner
  T* input;                       // [group of rows][feature][WIDTH], where a group is more than one row
  T *activations, *deltas;        // [layer][group of rows][unit][WIDTH]; two layers' worth of deltas
  long groups(long rows) const { return (rows + group - 1) / group; }
};

// Calls FUNCTION<T, LANES>(...) with the number of lanes of the block.
#define BY_LANES(BLOCK, FUNCTION, ...)                                                            \
  do {                                                                                            \
    if ((BLOCK).lanes == 1) FUNCTION<T, 1>(__VA_ARGS__);                                          \
    if ((BLOCK).lanes == 2) FUNCTION<T, 2>(__VA_ARGS__);                                          \
    if ((BLOCK).lanes == 4) FUNCTION<T, 4>(__VA_ARGS__);                                          \
    if (WIDTH >= 8 && (BLOCK).lanes == 8) FUNCTION<T, (WIDTH >= 8 ? 8 : 4)>(__VA_ARGS__);         \
    if (WIDTH >= 16 && (BLOCK).lanes == 16) FUNCTION<T, (WIDTH >= 16 ? 16 : 4)>(__VA_ARGS__);     \
  } while (0)
