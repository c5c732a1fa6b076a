// Convolution, 2 x 2 max-pool and ReLU in one pass, compiled once per instruction set (SET, WIDTH).
//
// Each group of filters (of one learner, or of all where they share the image) has channels of its own. Output channels are
// the lanes of the forward pass. The pool lets one of four pixels through, so the backward pass visits that pixel
// alone: a quarter of the products that a convolution without a pool has, and no map of gradients that is mostly zero.
//
// The same bits on every machine: each sum has its own order, whatever the width of the vectors, and is fused throughout.
// NaN passes the pool and the ReLU, as in PyTorch.
#include <stdlib.h>
#include <string.h>

#include "../allocate.h"
#include "../fused.h"
#include "convolution.h"

namespace SET {
namespace {

template <class T>
struct Filters {
  const Convolution<T>& c;
  long run, blocks, vectors;  // values of a filter's row; WIDTH-blocks of output channels, and of a row
  explicit Filters(const Convolution<T>& c)
      : c(c), run(c.kernel * c.inputs), blocks((c.outputs + WIDTH - 1) / WIDTH), vectors((run + WIDTH - 1) / WIDTH) {}
  long image() const { return (long)c.height * c.width * c.inputs; }
  long rows() const { return (c.height - c.kernel + 1) / 2; }  // of the pooled output
  long columns() const { return (c.width - c.kernel + 1) / 2; }
  // where the patch of pooled pixel (r, q) begins, at the corner `which` (0 to 3) of its four
  long patch(long r, long q, int which) const {
    return ((2 * r + (which >> 1)) * c.width + 2 * q + (which & 1)) * c.inputs;
  }
};

// The channels of one group of one image, side by side.
template <class T>
void gather(const Convolution<T>& c, const T* x, long offset, T* to) {
  const long channels = c.groups * c.inputs;
  for (long p = 0; p < (long)c.height * c.width; p++)
    for (long i = 0; i < c.inputs; i++) to[p * c.inputs + i] = x[p * channels + offset + i];
}

// BLOCKS blocks of output channels at one pooled pixel: the largest of four sums, its place, and the ReLU.
template <class T, int BLOCKS>
inline void pooled(const Filters<T>& f, const T* x, const T* weight, const T* bias, T* y, uint8_t* place, long left) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const long row = f.c.width * f.c.inputs, step = f.blocks * WIDTH;
  const T* corner[4] = {x, x + f.c.inputs, x + row, x + row + f.c.inputs};
  Lanes sum[4][BLOCKS];
#pragma GCC unroll 4
  for (int p = 0; p < 4; p++)
#pragma GCC unroll 4
    for (int b = 0; b < BLOCKS; b++) sum[p][b] = *(const Lanes*)(bias + b * WIDTH);
  for (long k = 0; k < f.c.kernel; k++)
    for (long t = k * row; t < k * row + f.run; t++, weight += step) {
      Lanes w[BLOCKS];
#pragma GCC unroll 4
      for (int b = 0; b < BLOCKS; b++) w[b] = *(const Lanes*)(weight + b * WIDTH);
#pragma GCC unroll 4
      for (int p = 0; p < 4; p++) {
        const Lanes value = Lanes{} + corner[p][t];
#pragma GCC unroll 4
        for (int b = 0; b < BLOCKS; b++) sum[p][b] = fused<T>(value, w[b], sum[p][b]);
      }
    }
#pragma GCC unroll 4
  for (int b = 0; b < BLOCKS; b++) {
    Lanes best = sum[0][b];
    decltype(best > best) which = {};  // whole numbers as wide as T
#pragma GCC unroll 4
    for (int p = 1; p < 4; p++) {
      const auto taken = (sum[p][b] > best) | (sum[p][b] != sum[p][b]);
      which = taken ? which * 0 + p : which;
      best = taken ? sum[p][b] : best;
    }
    best = best <= 0 ? Lanes{} : best;
    const long lanes = left - b * WIDTH < WIDTH ? left - b * WIDTH : WIDTH;
    for (long lane = 0; lane < lanes; lane++) {
      y[b * WIDTH + lane] = best[lane];
      place[b * WIDTH + lane] = (uint8_t)which[lane];
    }
  }
}

// What one image's patches, each times a derivative, add to ROWS rows of a filter, VECTORS vectors of each; where there is a
// `mask`, nothing in the lanes of the last vector where it is 0.
template <class T, int ROWS, int VECTORS>
inline void accumulate(long count, const long* from, const T* by, const T* x, long row, T* to, long wide, const T* mask) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH), aligned(sizeof(T))));
  Lanes sum[ROWS][VECTORS] = {};
  for (long i = 0; i < count; i++) {
    const Lanes factor = Lanes{} + by[i];
    const T* patch = x + from[i];
#pragma GCC unroll 8
    for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; v++) sum[k][v] = fused<T>(factor, *(const Lanes*)(patch + k * row + v * WIDTH), sum[k][v]);
  }
  if (ROWS == 1 && mask) sum[0][VECTORS - 1] = *(const Lanes*)mask > 0 ? sum[0][VECTORS - 1] : Lanes{};
#pragma GCC unroll 8
  for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) *(Lanes*)(to + k * wide + v * WIDTH) += sum[k][v];
}

// The same of one row, eight vectors after the other.
template <class T>
__attribute__((always_inline)) inline void accumulate_row(long vectors, long count, const long* from, const T* by, const T* x,
                                                          T* to, const T* mask = nullptr) {
  for (; vectors > 0; vectors -= 8, x += 8 * WIDTH, to += 8 * WIDTH) switch (vectors) {
      case 1: accumulate<T, 1, 1>(count, from, by, x, 0, to, 0, mask); break;
      case 2: accumulate<T, 1, 2>(count, from, by, x, 0, to, 0, mask); break;
      case 3: accumulate<T, 1, 3>(count, from, by, x, 0, to, 0, mask); break;
      case 4: accumulate<T, 1, 4>(count, from, by, x, 0, to, 0, mask); break;
      case 5: accumulate<T, 1, 5>(count, from, by, x, 0, to, 0, mask); break;
      case 6: accumulate<T, 1, 6>(count, from, by, x, 0, to, 0, mask); break;
      case 7: accumulate<T, 1, 7>(count, from, by, x, 0, to, 0, mask); break;
      default: accumulate<T, 1, 8>(count, from, by, x, 0, to, 0, vectors == 8 ? mask : nullptr);
    }
}

// What the patches add to a whole filter: five short rows at once, or one row after the other.
template <class T>
void accumulate_filter(const Filters<T>& f, long count, const long* from, const T* by, const T* x, T* to) {
  const long row = f.c.width * f.c.inputs, wide = f.vectors * WIDTH;
  long k = 0;
  for (; f.vectors <= 2 && k + 5 <= f.c.kernel; k += 5) {
    if (f.vectors == 1) accumulate<T, 5, 1>(count, from, by, x + k * row, row, to + k * wide, wide, nullptr);
    if (f.vectors == 2) accumulate<T, 5, 2>(count, from, by, x + k * row, row, to + k * wide, wide, nullptr);
  }
  for (; k < f.c.kernel; k++) accumulate_row(f.vectors, count, from, by, x + k * row, to + k * wide);
}

// Adds to one patch of the image the rows of some filters, each times its derivative. The mask keeps the pixels beside the
// patch out of it: 0 times a derivative that is not finite is NaN.
template <class T>
void accumulate_filter_back(const Filters<T>& f, long count, const long* chosen, const T* by, const T* weight, T* patch,
                            const T* mask) {
  const long row = f.c.width * f.c.inputs, wide = f.vectors * WIDTH;
  for (long k = 0; k < f.c.kernel; k++)
    accumulate_row(f.vectors, count, chosen, by, weight + k * wide, patch + k * row, mask);
}

// Filters [outputs][kernel][run] of a group as [kernel * run][blocks * WIDTH], the missing channels zero.
template <class T>
void pack(const Filters<T>& f, const T* weight, T* to) {
  for (long o = 0; o < f.c.outputs; o++)
    for (long t = 0; t < f.c.kernel * f.run; t++) to[t * f.blocks * WIDTH + o] = weight[o * f.c.kernel * f.run + t];
}

template <class T>
void convolve(const Convolution<T>& c, long first, long last) {
  const Filters<T> f(c);
  const long size = f.c.kernel * f.run * f.blocks * WIDTH, lanes = f.blocks * WIDTH;
  Array<T> packed(c.groups * size), biases(c.groups * lanes), x(f.image() + WIDTH);
  for (long g = 0; g < c.groups; g++) {
    pack<T>(f, c.weight + g * c.outputs * c.kernel * f.run, packed + g * size);
    for (long o = 0; o < c.outputs; o++) biases[g * lanes + o] = c.bias[g * c.outputs + o];
  }
  const long channels = c.groups * c.outputs, rows = f.rows(), columns = f.columns();
  for (long i = first; i < last; i++)
    for (long g = 0; g < c.groups; g++) {
      gather<T>(c, c.x + i * f.image() * c.groups, g * c.inputs, x);
      for (long r = 0; r < rows; r++)
        for (long q = 0; q < columns; q++) {
          const long at = ((i * rows + r) * columns + q) * channels + g * c.outputs;
          for (long b = 0; b < f.blocks;) {
            const long blocks = f.blocks - b == 4 ? 2 : f.blocks - b < 3 ? f.blocks - b : 3;
            const long o = b * WIDTH;
            const T *w = packed + g * size + o, *bias = biases + g * lanes + o, *p = x + f.patch(r, q, 0);
            if (blocks == 3) pooled<T, 3>(f, p, w, bias, c.y + at + o, c.place + at + o, c.outputs - o);
            if (blocks == 2) pooled<T, 2>(f, p, w, bias, c.y + at + o, c.place + at + o, c.outputs - o);
            if (blocks == 1) pooled<T, 1>(f, p, w, bias, c.y + at + o, c.place + at + o, c.outputs - o);
            b += blocks;
          }
        }
    }
}

template <class T>
void convolve_back(const Convolution<T>& c, long first, long last, T* weight_gradient, T* bias_gradient) {
  const Filters<T> f(c);
  const long wide = f.vectors * WIDTH, filter = c.kernel * wide;
  const long channels = c.groups * c.outputs, pixels = f.rows() * f.columns();
  Array<T> x(f.image() + wide), dx(f.image() + wide), by(pixels + 1), factors(c.outputs + 1), mask(WIDTH);
  Array<T> sums(channels * filter), weight(channels * filter);  // rows filled up to `wide`
  Array<long> from(pixels + 1), chosen(c.outputs + 1);
  for (long lane = 0; lane < WIDTH; lane++) mask[lane] = f.run - (f.vectors - 1) * WIDTH > lane ? 1 : 0;
  for (long o = 0; o < channels; o++)
    for (long k = 0; k < c.kernel; k++)
      for (long t = 0; t < f.run; t++)
        weight[o * filter + k * wide + t] = c.weight[(o * c.kernel + k) * f.run + t];
  for (long i = first; i < last; i++)
    for (long g = 0; g < c.groups; g++) {
      gather<T>(c, c.x + i * f.image() * c.groups, g * c.inputs, x);
      if (c.x_gradient) memset(dx, 0, sizeof(T) * (f.image() + wide));
      for (long o = g * c.outputs; o < (g + 1) * c.outputs; o++) {
        long count = 0;
        T total = 0;
        for (long r = 0; r < f.rows(); r++)
          for (long q = 0; q < f.columns(); q++) {
            const long at = (i * pixels + r * f.columns() + q) * channels + o;
            from[count] = f.patch(r, q, c.place[at]);
            by[count] = c.y_gradient[at];
            const bool passed = !(c.y[at] <= 0);
            total += passed ? by[count] : 0;
            count += passed && by[count] != 0;  // what the ReLU stopped is written over
          }
        bias_gradient[o] += total;
        accumulate_filter<T>(f, count, from, by, x, sums + o * filter);
      }
      // The other way round: what all filters of the group hand back to one patch is added up before it is stored.
      if (c.x_gradient) {
        for (long r = 0; r < f.rows(); r++)
          for (long q = 0; q < f.columns(); q++) {
            const long at = (i * pixels + r * f.columns() + q) * channels + g * c.outputs;
            for (int corner = 0; corner < 4; corner++) {
              long count = 0;
              for (long o = 0; o < c.outputs; o++) {
                chosen[count] = o * filter;
                factors[count] = c.y_gradient[at + o];
                count += c.place[at + o] == corner && !(c.y[at + o] <= 0);
              }
              const T* group = weight + g * c.outputs * filter;
              if (count)
                accumulate_filter_back<T>(f, count, chosen, factors, group, dx + f.patch(r, q, corner), mask);
            }
          }
        T* to = c.x_gradient + i * f.image() * c.groups + g * c.inputs;
        for (long p = 0; p < (long)c.height * c.width; p++)
          for (long j = 0; j < c.inputs; j++) to[p * c.groups * c.inputs + j] = dx[p * c.inputs + j];
      }
    }
  for (long o = 0; o < channels; o++)
    for (long k = 0; k < c.kernel; k++)
      for (long t = 0; t < f.run; t++)
        weight_gradient[(o * c.kernel + k) * f.run + t] += sums[o * filter + k * wide + t];
}

}  // namespace

void convolution(const Convolution<float>& c, long first, long last) { convolve(c, first, last); }
void convolution(const Convolution<double>& c, long first, long last) { convolve(c, first, last); }
void convolution_back(const Convolution<float>& c, long first, long last, float* weight, float* bias) {
  convolve_back(c, first, last, weight, bias);
}
void convolution_back(const Convolution<double>& c, long first, long last, double* weight, double* bias) {
  convolve_back(c, first, last, weight, bias);
}

}  // namespace SET
