// The one product behind forward and backward passes, included by kernel.h inside its namespace.
#pragma once

enum Finish { PLAIN, RELU, MASK };

// c[m][n] = bias[n] + sum over k of a[m][k] * b[k][n], each element WIDTH lanes, for one tile of ROWS x COLUMNS.
// SHARED: a holds plain numbers, the same for all lanes (the input). MASK: zero where the activation is not positive.
template <class T, bool SHARED, Finish FINISH, int ROWS, int COLUMNS>
inline void tile(long depth, const T* a, long a_row, long a_step, const T* b, long b_step, long b_column, T* c,
                 long c_row, const T* extra, long extra_row) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  Lanes sum[ROWS][COLUMNS];
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      if (FINISH == RELU)
        sum[m][n] = *(const Lanes*)(extra + n * WIDTH);
      else
        sum[m][n] = Lanes{};
    }
  for (long k = 0; k < depth; k++, a += a_step, b += b_step) {
    Lanes right[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) right[n] = *(const Lanes*)(b + n * b_column);
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; m++) {
      Lanes left;
      if (SHARED)
        left = Lanes{} + a[m * a_row];
      else
        left = *(const Lanes*)(a + m * a_row);
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sum[m][n] += left * right[n];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      Lanes value = sum[m][n];
      if (FINISH == RELU) value = value > 0 ? value : Lanes{};
      if (FINISH == MASK) value = *(const Lanes*)(extra + m * extra_row + n * WIDTH) > 0 ? value : Lanes{};
      *(Lanes*)(c + m * c_row + n * WIDTH) = value;
    }
}

template <class T, bool SHARED, Finish FINISH, int ROWS>
inline void tile_row(long columns, long depth, const T* a, long a_row, long a_step, const T* b, long b_step,
                     long b_column, T* c, long c_row, const T* extra, long extra_row) {
  for (; columns >= TILE_COLUMNS; columns -= TILE_COLUMNS) {
    tile<T, SHARED, FINISH, ROWS, TILE_COLUMNS>(depth, a, a_row, a_step, b, b_step, b_column, c, c_row, extra,
                                                extra_row);
    b += TILE_COLUMNS * b_column;
    c += TILE_COLUMNS * WIDTH;
    if (FINISH != PLAIN) extra += TILE_COLUMNS * WIDTH;
  }
  if (columns == 2)
    tile<T, SHARED, FINISH, ROWS, 2>(depth, a, a_row, a_step, b, b_step, b_column, c, c_row, extra, extra_row);
  if (columns == 1)
    tile<T, SHARED, FINISH, ROWS, 1>(depth, a, a_row, a_step, b, b_step, b_column, c, c_row, extra, extra_row);
}
static_assert(TILE_COLUMNS == 3, "tile_row knows the remainders 1 and 2");

// All tiles of ROWS rows that fit; what is left goes on to tiles of half as many.
template <class T, bool SHARED, Finish FINISH, int ROWS>
struct Product {
  static void of(long rows, long columns, long depth, const T* a, long a_row, long a_step, const T* b, long b_step,
                 long b_column, T* c, long c_row, const T* extra, long extra_row) {
    for (; rows >= ROWS; rows -= ROWS) {
      tile_row<T, SHARED, FINISH, ROWS>(columns, depth, a, a_row, a_step, b, b_step, b_column, c, c_row, extra,
                                        extra_row);
      a += ROWS * a_row;
      c += ROWS * c_row;
      if (FINISH == MASK) extra += ROWS * extra_row;
    }
    Product<T, SHARED, FINISH, ROWS / 2>::of(rows, columns, depth, a, a_row, a_step, b, b_step, b_column, c,
                                                    c_row, extra, extra_row);
  }
};
template <class T, bool SHARED, Finish FINISH>
struct Product<T, SHARED, FINISH, 0> {
  static void of(long, long, long, const T*, long, long, const T*, long, long, T*, long, const T*, long) {}
};

template <class T, bool SHARED, Finish FINISH, class... Arguments>
void product(Arguments... arguments) {
  Product<T, SHARED, FINISH, TILE_ROWS>::of(arguments...);
}
