// The one product behind forward and backward passes, included by kernel.h inside its namespace.
#pragma once

// What becomes of a sum before it is stored: nothing, added to what is there, the ReLU, or the mask of its derivative.
enum Finish { PLAIN, ADD, RELU, MASK };

// The sum of some vectors, halves first.
template <int COUNT, class Lanes>
inline __attribute__((always_inline)) Lanes total(const Lanes* parts) {
  if constexpr (COUNT == 4) return (parts[0] + parts[2]) + (parts[1] + parts[3]);
  return COUNT == 2 ? parts[0] + parts[1] : parts[0];
}

// LANES numbers, over and over until they fill a vector: a broadcasting load.
template <class T, int LANES>
inline auto repeated(const T* numbers) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  typedef long long Word __attribute__((may_alias));
  typedef long long Words __attribute__((vector_size(sizeof(T) * WIDTH)));
  constexpr int given = LANES * sizeof(T), wanted = WIDTH * sizeof(T);  // bytes
  if constexpr (given == wanted) {
    return *(const Lanes*)numbers;
  } else if constexpr (LANES == 1) {
    return *numbers - Lanes{};  // x - 0 is x, also where x + 0 is not
  } else if constexpr (given == 8) {
    return (Lanes)(*(const Word*)numbers - Words{});
#ifdef __AVX2__
  } else if constexpr (given == 16 && wanted == 32) {
    return (Lanes)_mm256_broadcast_ps((const __m128*)numbers);
#endif
#ifdef __AVX512DQ__
  } else if constexpr (given == 16 && wanted == 64) {
    return (Lanes)_mm512_broadcast_f32x4(*(const __m128*)numbers);
  } else if constexpr (given == 32 && wanted == 64) {
    return (Lanes)_mm512_broadcast_f32x8(*(const __m256*)numbers);
#endif
  } else {
    Lanes all;
    for (int lane = 0; lane < WIDTH; lane++) all[lane] = numbers[lane % LANES];
    return all;
  }
}

// The three matrices of a product, and how far apart in them neighbours are: rows and columns of the result, and steps of
// the sum. `extra`: the biases for RELU, the activations for MASK.
template <class T>
struct Operands {
  const T* a;
  long a_row, a_step;
  const T* b;
  long b_step, b_column;
  T* c;
  long c_row;
  const T* extra;
  long extra_row;
};

// c[m][n] = bias[n] + sum over k of a[m][k] * b[k][n], each element of c WIDTH lanes, for one tile of ROWS x COLUMNS.
// The elements of a hold A numbers (1: the same for all lanes), those of b and of a bias B. Each sum runs over k in order,
// so tiles of any size give the same bits. NaN passes the ReLU, and the mask is a factor, as in the PyTorch engine.
template <class T, int A, int B, Finish FINISH, int ROWS, int COLUMNS>
inline __attribute__((always_inline)) void tile(long depth, const Operands<T>& o) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  Lanes sum[ROWS][COLUMNS];
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      if (FINISH == RELU)
        sum[m][n] = repeated<T, B>(o.extra + n * B);
      else
        sum[m][n] = Lanes{};
    }
  const T *a = o.a, *b = o.b;
  for (long k = 0; k < depth; k++, a += o.a_step, b += o.b_step) {
    Lanes right[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) right[n] = repeated<T, B>(b + n * o.b_column);
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; m++) {
      Lanes left = repeated<T, A>(a + m * o.a_row);
#if defined(__AVX2__) && !defined(__clang__)
      if constexpr (sizeof(Lanes) == REGISTER) asm("" : "+v"(left));  // a register: GCC would load it again for each column
#endif
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sum[m][n] = fused<T>(left, right[n], sum[m][n]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      Lanes value = sum[m][n];
      Lanes& to = *(Lanes*)(o.c + m * o.c_row + n * WIDTH);
      if (FINISH == ADD) value += to;
      if (FINISH == RELU) value = value < 0 ? Lanes{} : value;
      if (FINISH == MASK)
        value *= *(const Lanes*)(o.extra + m * o.extra_row + n * WIDTH) > 0 ? Lanes{} + (T)1 : Lanes{};
      to = value;
    }
}

// One row of tiles, the last ones narrower. Four columns are two and two, not three and one: few sums at once would wait
// for each other.
template <class T, int A, int B, Finish FINISH, int ROWS, int COLUMNS>
inline __attribute__((always_inline)) void tile_row(long columns, long depth, Operands<T> o) {
  for (; columns >= COLUMNS && !(COLUMNS == 3 && columns == 4); columns -= COLUMNS) {
    tile<T, A, B, FINISH, ROWS, COLUMNS>(depth, o);
    o.b += COLUMNS * o.b_column;
    o.c += COLUMNS * WIDTH;
    if (FINISH == RELU) o.extra += COLUMNS * B;
    if (FINISH == MASK) o.extra += COLUMNS * WIDTH;
  }
  if constexpr (COLUMNS > 1)
    if (columns > 0) tile_row<T, A, B, FINISH, ROWS, COLUMNS == 3 ? 2 : COLUMNS / 2>(columns, depth, o);
}

// All tiles of ROWS rows that fit; what is left goes on to tiles of half as many, and wider. A function of its own, with
// all that it needs inside: in larger ones GCC keeps the addresses in memory.
template <class T, int A, int B, Finish FINISH, int ROWS = TILE_ROWS>
__attribute__((noinline)) void product(long rows, long columns, long depth, Operands<T> o) {
  for (; rows >= ROWS; rows -= ROWS) {
    tile_row<T, A, B, FINISH, ROWS, ROWS == 1 ? 8 : ROWS == 2 ? 4 : 3>(columns, depth, o);
    o.a += ROWS * o.a_row;
    o.c += ROWS * o.c_row;
    if (FINISH == MASK) o.extra += ROWS * o.extra_row;
  }
  if constexpr (ROWS > 1)
    if (rows > 0) product<T, A, B, FINISH, ROWS / 2>(rows, columns, depth, o);
}
