// Sizes, and learners side by side in the lanes of vectors; included by kernel.h inside its namespace.
#pragma once

// Sizes that every block of lanes shares.
struct Shape {
  long features, hidden_units, layers;
  long inputs(long layer) const { return layer == 0 ? features : hidden_units; }
  long outputs(long layer) const { return layer == layers ? 1 : hidden_units; }
  long parameters() const {
    long count = 0;
    for (long layer = 0; layer <= layers; layer++) count += (inputs(layer) + 1) * outputs(layer);
    return count;
  }
};

// The order of all sums is that of vectors of 16 lanes, whatever the machine has: LANES learners side by side, on
// 16 / LANES rows of the batch at once. Here it is mapped to the machine's vectors of WIDTH lanes.
constexpr int VIRTUAL = 16;
template <int LANES>
struct Layout {
  static constexpr int OWN = LANES < WIDTH ? LANES : WIDTH;  // learners in a vector
  static constexpr int SLICES = LANES / OWN;                 // vectors side by side that hold a row's learners
  static constexpr int GROUP = WIDTH / OWN;                  // rows in a vector
  static constexpr int SPLITS = VIRTUAL / LANES / GROUP;     // vectors below each other that make a virtual one
};

// Up to `lanes` learners side by side.
template <class T>
struct Block {
  int lanes, own, first, used;               // own: Layout::OWN; the first learner; how many lanes hold one
  long rows_at_once;                         // rows of a virtual vector
  long slice, count;                         // numbers in the parameters of a slice; of all, in whole vectors
  T *parameters, *gradient, *mean, *square;  // [slice][parameter][own]; the gradient first
                                             // [half of the splits][slice][parameter][WIDTH]
  T *weights, *present;                      // of each lane: w_j, 0 without a learner; 1 with a learner, 0 without
  T *outputs, *slopes;                       // [row][lanes]: predictions; derivatives of the objective by them
  T* input;                                  // [group of rows][feature][WIDTH], where a group is more than one row
  T *activations, *deltas;                   // [slice][layer][group of rows][unit][WIDTH]; two layers' worth of deltas
  long padded(long rows) const { return (rows + rows_at_once - 1) / rows_at_once * rows_at_once; }
  long index(long parameter, int lane) const { return lane / own * slice + parameter * own + lane % own; }
};

// Calls FUNCTION<T, LANES>(...) with the number of lanes of the block.
#define BY_LANES(BLOCK, FUNCTION, ...)            \
  switch ((BLOCK).lanes) {                        \
    case 1: FUNCTION<T, 1>(__VA_ARGS__); break;   \
    case 2: FUNCTION<T, 2>(__VA_ARGS__); break;   \
    case 4: FUNCTION<T, 4>(__VA_ARGS__); break;   \
    case 8: FUNCTION<T, 8>(__VA_ARGS__); break;   \
    default: FUNCTION<T, 16>(__VA_ARGS__);        \
  }
