// The interface between Python (ctypes) and the native engine: one sweep of ensembles of small MLPs.
//
// Parameters of one learner stand one after the other, layer by layer: weights [inputs][outputs], then biases
// [outputs]. T is float (training) or double (the tests of the gradients).
#pragma once
#include <stdint.h>

enum { HISTORY_COLUMNS = 5 };  // per epoch: train ERR, train ERR-bar, validation ERR, ERR-bar, DIV

template <class T>
struct Network {
  int32_t features, learners, hidden, layers;
  const T* weights;  // [learners], the w_j of the ensemble's mean
};

template <class T>
struct Training {
  Network<T> network;
  int32_t rows, validation_rows, batch, epochs, patience;
  T beta;
  double rate, decay;
  const T *x, *y;                        // [rows][features], [rows]
  const T *validation_x, *validation_y;  // the same of the validation part
  const int32_t* orders;                 // [epochs][rows]: the order of the rows in each epoch
  const T* initial;                      // [learners][parameters]
  T *best, *last;                        // [learners][parameters]: of the best epoch; after the last step
  double* history;                       // [epochs][HISTORY_COLUMNS]
  int32_t* outcome;                      // epochs run, best epoch, epoch of divergence; from 1, 0 for none
};

// Convolutions of a batch of images without padding, each with a 2 x 2 max-pool and a ReLU behind it. Channels come last.
template <class T>
struct Convolution {
  int32_t count, height, width, inputs, groups, outputs, kernel;  // images; of each group: channels in and out
  const T *x, *weight, *bias;  // [count][height][width][channels], [groups * outputs][kernel][kernel][inputs], [...]
  T* y;                        // [count][rows][columns][groups * outputs], after pool and ReLU
  uint8_t* place;              // the same: which of the four pixels passed the pool
  const T* y_gradient;
  T* x_gradient;               // as x; null where it is not asked for
};

// What each instruction set provides; see kernel.h and convolution.h.
#define DECLARE_KERNEL(SET)                                                                          \
  namespace SET {                                                                                    \
  void train(const Training<float>&);                                                                \
  void predict(const Network<float>&, const float* parameters, const float* x, long rows, float* f); \
  void gradient(const Network<float>&, const float* parameters, const float* x, const float* y,      \
                long rows, float beta, float* gradient);                                             \
  void gradient(const Network<double>&, const double* parameters, const double* x, const double* y,  \
                long rows, double beta, double* gradient);                                           \
  void convolution(const Convolution<float>&, long first, long last);                                \
  void convolution(const Convolution<double>&, long first, long last);                               \
  void convolution_back(const Convolution<float>&, long first, long last, float* weight, float* bias); \
  void convolution_back(const Convolution<double>&, long first, long last, double* weight,           \
                        double* bias);                                                               \
  }
DECLARE_KERNEL(portable)
DECLARE_KERNEL(avx2)
DECLARE_KERNEL(avx512)
