// Forward and backward pass of a block of learners, layer by layer; included by kernel.h inside its namespace.
#pragma once

// Each input beside itself, once for each lane.
template <class T, int LANES>
void spread_input(const Block<T>& block, const T* x, long rows, long features) {
  const long groups = block.groups(rows);
  for (long i = 0; i < groups; i++, x += WIDTH / LANES * features)
    for (long k = 0; k < features; k++) {
      T* to = block.input + (i * features + k) * WIDTH;
#pragma GCC unroll 16
      for (int lane = 0; lane < WIDTH; lane++) to[lane] = x[lane / LANES * features + k];
    }
}

// x: [rows][features], and readable to the end of the last group.
template <class T, int LANES>
void forward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const long groups = block.groups(rows);
  const T* weights = block.parameters;
  const T* previous = block.input;
  T* current = block.activations;
  if (LANES < WIDTH) spread_input<T, LANES>(block, x, rows, shape.features);
  for (int layer = 0; layer <= shape.layers; layer++) {
    const long in = shape.inputs(layer), out = shape.outputs(layer);
    const T* bias = weights + in * out * LANES;
    Operands<T> o = {previous, in * WIDTH, WIDTH, weights, out * LANES, LANES, current, out * WIDTH, bias, 0};
    if (layer == shape.layers) {  // one linear output: a plain dot product of each row with the weights
      product<T, WIDTH, LANES, PLAIN>(groups, 1, in, o);
      for (long i = 0; i < groups; i++) *(Lanes*)(current + i * WIDTH) += repeated<T, LANES>(bias);
    } else if (layer == 0) {
      if (LANES == WIDTH) o.a = x, o.a_row = in, o.a_step = 1;
      product<T, LANES == WIDTH ? 1 : WIDTH, LANES, RELU>(groups, out, in, o);
    } else {
      product<T, WIDTH, LANES, RELU>(groups, out, in, o);
    }
    weights = bias + out * LANES;
    previous = current;
    current += capacity * out * WIDTH;
  }
}

// Makes one vector of COUNT vectors, each of COUNT pieces: the sums of their pieces.
template <class T, int COUNT, int... LANE>
auto folded(const T* vectors, std::integer_sequence<int, LANE...> lanes) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  if constexpr (COUNT == 1) {
    return *(const Lanes*)vectors;
  } else {
    constexpr int PIECE = WIDTH / COUNT;
    const Lanes a = folded<T, COUNT / 2>(vectors, lanes), b = folded<T, COUNT / 2>(vectors + COUNT / 2 * WIDTH, lanes);
    return __builtin_shufflevector(a, b, (LANE / PIECE * 2 * PIECE + LANE % PIECE)...) +
           __builtin_shufflevector(a, b, (LANE / PIECE * 2 * PIECE + PIECE + LANE % PIECE)...);
  }
}

// Adds up what the rows of a group gave: [parameter][WIDTH] becomes [parameter][LANES], `count` numbers in whole vectors.
template <class T, int LANES>
void add_groups(T* gradient, long count) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  constexpr int GROUP = WIDTH / LANES;
  for (long i = 0; i < count; i += WIDTH)
    *(Lanes*)(gradient + i) = folded<T, GROUP>(gradient + i * GROUP, std::make_integer_sequence<int, WIDTH>{});
}

// Sums of each column over the rows, as many columns at once as there are registers to hide an addition's latency.
template <class T, int COLUMNS = 8>
void add_rows(const T* from, long rows, long columns, long row, T* to) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  for (; columns >= COLUMNS; columns -= COLUMNS, from += COLUMNS * WIDTH, to += COLUMNS * WIDTH) {
    Lanes sum[COLUMNS] = {};
    for (long i = 0; i < rows; i++)
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sum[n] += *(const Lanes*)(from + i * row + n * WIDTH);
    for (int n = 0; n < COLUMNS; n++) *(Lanes*)(to + n * WIDTH) = sum[n];
  }
  if constexpr (COLUMNS > 1) add_rows<T, COLUMNS / 2>(from, rows, columns, row, to);
}

// block.deltas starts with the derivative of the objective by each learner's output, [row][lane].
template <class T, int LANES>
void backward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  const long groups = block.groups(rows);
  T *delta = block.deltas, *below = block.deltas + capacity * shape.hidden_units * WIDTH;
  long offset = shape.parameters();
  for (int layer = shape.layers; layer >= 0; layer--) {
    const long in = shape.inputs(layer), out = shape.outputs(layer);
    offset -= (in + 1) * out;
    T* gradient = block.gradient + offset * WIDTH;
    add_rows(delta, groups, out, out * WIDTH, gradient + in * out * WIDTH);
    const T* activation = layer == 0 ? block.input : block.activations + (layer - 1) * capacity * shape.hidden_units * WIDTH;
    Operands<T> o = {activation, WIDTH, in * WIDTH, delta, out * WIDTH, WIDTH, gradient, out * WIDTH, nullptr, 0};
    if (layer == 0) {
      if (LANES == WIDTH) o.a = x, o.a_row = 1, o.a_step = in;
      product<T, LANES == WIDTH ? 1 : WIDTH, WIDTH, PLAIN>(in, out, groups, o);
      break;
    }
    product<T, WIDTH, WIDTH, PLAIN>(in, out, groups, o);
    o = {delta, out * WIDTH, WIDTH, block.parameters + offset * LANES, LANES, out * LANES, below, in * WIDTH,
         activation, in * WIDTH};
    product<T, WIDTH, LANES, MASK>(groups, in, out, o);
    T* swap = delta;
    delta = below;
    below = swap;
  }
  if (LANES < WIDTH) add_groups<T, LANES>(block.gradient, block.count);
}
