// The interface between Python (ctypes) and the native convolution. T is float or double.
#pragma once
#include <stdint.h>

// Convolutions of a batch of images without padding, each followed by a 2 x 2 max-pool and a ReLU. Channels come last.
// Python has checked all sizes.
template <class T>
struct Convolution {
  int64_t count, height, width, inputs, groups, outputs, kernel;  // images; of each group: channels in and out
  const T *x, *weight, *bias;  // [count][height][width][channels], [groups * outputs][kernel][kernel][inputs], [...]
  T* y;                        // [count][rows][columns][groups * outputs], after pool and ReLU
  uint8_t* place;              // the same: which of the four pixels passed the pool
  const T* y_gradient;
  T* x_gradient;               // as x; null where it is not needed
};

// What each instruction set provides; see kernel.h.
#define DECLARE_KERNEL(SET)                                                                              \
  namespace SET {                                                                                        \
  void convolution(const Convolution<float>&, long first, long last);                                    \
  void convolution(const Convolution<double>&, long first, long last);                                   \
  void convolution_back(const Convolution<float>&, long first, long last, float* weight, float* bias);   \
  void convolution_back(const Convolution<double>&, long first, long last, double* weight, double* bias); \
  }
DECLARE_KERNEL(portable)
DECLARE_KERNEL(avx2)
DECLARE_KERNEL(avx512)
#undef DECLARE_KERNEL
