// Forward and backward pass of a block of learners, layer by layer; included by kernel.h inside its namespace.
#pragma once

// Each input beside itself, once for each learner of a vector.
template <class T, int LANES>
void spread_input(const Block<T>& block, const T* x, long groups, long features) {
  for (long i = 0; i < groups; i++, x += WIDTH / LANES * features)
    for (long k = 0; k < features; k++) {
      T* to = block.input + (i * features + k) * WIDTH;
#pragma GCC unroll 16
      for (int lane = 0; lane < WIDTH; lane++) to[lane] = x[lane / LANES * features + k];
    }
}

// x: [rows][features], and readable to the end of the last virtual vector of rows.
template <class T, int LANES>
void forward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  typedef Layout<LANES> L;
  const long groups = block.padded(rows) / L::GROUP, room = capacity / L::GROUP;
  if (L::GROUP > 1) spread_input<T, L::OWN>(block, x, groups, shape.features);
  for (int slice = 0; slice < L::SLICES; slice++) {
    const T* weights = block.parameters + slice * block.slice;
    const T* previous = block.input;
    T* current = block.activations + slice * shape.layers * room * shape.hidden_units * WIDTH;
    for (long layer = 0; layer <= shape.layers; layer++) {
      const long in = shape.inputs(layer), out = shape.outputs(layer);
      const T* bias = weights + in * out * L::OWN;
      Operands<T> o = {previous, in * WIDTH, WIDTH, weights, out * L::OWN, L::OWN, current, out * WIDTH, bias, 0};
      if (layer == shape.layers) {  // one linear output: a plain dot product of each row with the weights
        o.c = block.outputs + slice * WIDTH;
        o.c_row = L::SLICES * WIDTH;
        product<T, WIDTH, L::OWN, PLAIN>(groups, 1, in, o);
        for (long i = 0; i < groups; i++) *(Lanes*)(o.c + i * o.c_row) += repeated<T, L::OWN>(bias);
      } else if (layer == 0) {
        if (L::GROUP == 1) o.a = x, o.a_row = in, o.a_step = 1;
        product<T, L::GROUP == 1 ? 1 : WIDTH, L::OWN, RELU>(groups, out, in, o);
      } else {
        product<T, WIDTH, L::OWN, RELU>(groups, out, in, o);
      }
      weights = bias + out * L::OWN;
      previous = current;
      current += room * out * WIDTH;
    }
  }
}

// Makes one vector of COUNT vectors, each of COUNT pieces: the sums of their pieces, halves first.
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
template <class T, Finish FINISH, int COLUMNS = 8>
void add_rows(const T* from, long rows, long columns, long row, T* to) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  for (; columns >= COLUMNS; columns -= COLUMNS, from += COLUMNS * WIDTH, to += COLUMNS * WIDTH) {
    Lanes sum[COLUMNS] = {};
    for (long i = 0; i < rows; i++)
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sum[n] += *(const Lanes*)(from + i * row + n * WIDTH);
    for (int n = 0; n < COLUMNS; n++) {
      if (FINISH == ADD) sum[n] += *(const Lanes*)(to + n * WIDTH);
      *(Lanes*)(to + n * WIDTH) = sum[n];
    }
  }
  if constexpr (COLUMNS > 1) add_rows<T, FINISH, COLUMNS / 2>(from, rows, columns, row, to);
}

// Derivatives by the weights and biases of a layer, of one split of the rows.
template <class T, int A, Finish FINISH>
void add_layer(long in, long out, long depth, const Operands<T>& o) {
  add_rows<T, FINISH>(o.b, depth, out, o.b_step, o.c + in * out * WIDTH);
  product<T, A, WIDTH, FINISH>(in, out, depth, o);
}

// block.slopes holds the derivative of the objective by each learner's output, zero for rows beyond the batch.
template <class T, int LANES>
void backward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  typedef Layout<LANES> L;
  constexpr int A = L::GROUP == 1 ? 1 : WIDTH, REGIONS = L::SPLITS == 4 ? 2 : 1;
  const long groups = block.padded(rows) / L::GROUP, depth = groups / L::SPLITS;
  const long layer_size = capacity / L::GROUP * shape.hidden_units * WIDTH, region = block.count * L::GROUP;
  for (int slice = 0; slice < L::SLICES; slice++) {
    const T* activations = block.activations + slice * shape.layers * layer_size;
    const T* delta = block.slopes + slice * WIDTH;
    T *below = block.deltas, *other = block.deltas + layer_size;
    long offset = shape.parameters(), delta_row = L::SLICES * WIDTH;
    for (long layer = shape.layers; layer >= 0; layer--) {
      const long in = shape.inputs(layer), out = shape.outputs(layer);
      offset -= (in + 1) * out;
      const T* activation = layer == 0 ? block.input : activations + (layer - 1) * layer_size;
      // A virtual vector's sums are those of its splits, added as the halves of a vector of 16 lanes would be.
      for (int split = 0; split < L::SPLITS; split++) {
        Operands<T> o = {activation + split * in * WIDTH, WIDTH, L::SPLITS * in * WIDTH,
                         delta + split * delta_row, L::SPLITS * delta_row, WIDTH,
                         block.gradient + split % REGIONS * region + slice * block.slice + offset * WIDTH, out * WIDTH,
                         nullptr, 0};
        if (layer == 0 && A == 1) o.a = x + split * in, o.a_row = 1, o.a_step = L::SPLITS * in;
        if (layer > 0 && split < REGIONS) add_layer<T, WIDTH, PLAIN>(in, out, depth, o);
        if (layer > 0 && split >= REGIONS) add_layer<T, WIDTH, ADD>(in, out, depth, o);
        if (layer == 0 && split < REGIONS) add_layer<T, A, PLAIN>(in, out, depth, o);
        if (layer == 0 && split >= REGIONS) add_layer<T, A, ADD>(in, out, depth, o);
      }
      if (layer == 0) break;
      const T* weights = block.parameters + slice * block.slice + offset * L::OWN;
      const Operands<T> o = {delta, delta_row,  WIDTH,      weights,   L::OWN,
                             out * L::OWN, below, in * WIDTH, activation, in * WIDTH};
      product<T, WIDTH, L::OWN, MASK>(groups, in, out, o);
      delta = below;
      delta_row = in * WIDTH;
      T* swap = below;
      below = other;
      other = swap;
    }
  }
  if (REGIONS == 2)
    for (long i = 0; i < region; i++) block.gradient[i] += block.gradient[region + i];
  if (L::GROUP > 1) add_groups<T, L::OWN>(block.gradient, block.count);
}
