// The interface between Python (ctypes) and the native engine: one sweep of ensembles of small MLPs.
//
// The parameters of one learner follow each other layer by layer: weights [inputs][outputs], then biases [outputs]. T is
// float (training) or double (the tests of the gradients). Python has checked all sizes.
#pragma once
#include <stdint.h>

enum { DONE, OUT_OF_MEMORY, NO_SUCH_ROW };  // what the exported functions return
enum { HISTORY_WIDTH = 5 };  // per epoch: train ERR, train ERR-bar, validation ERR, ERR-bar, DIV

template <class T>
struct Network {
  int64_t features, learners, hidden_units, layers;
  const T* weights;  // [learners], the w_j of the ensemble's mean
};

template <class T>
struct Training {
  Network<T> network;
  int64_t rows, validation_rows, batch_size, max_epochs, patience;  // no batch larger than the rows
  T beta;
  double learning_rate, weight_decay;
  const T *x, *y;                        // [rows][features], [rows]
  const T *validation_x, *validation_y;  // the same for the validation part
  const int32_t* permutations;           // [max_epochs][rows]: the order of the rows in each epoch
  const T* initial;                      // [learners][parameters]
  T *best, *last;                        // [learners][parameters]: of the best epoch; after the last step
  double* history;                       // [max_epochs][HISTORY_WIDTH]
  int64_t* outcome;                      // epochs run, best epoch, epoch of divergence; from 1, 0 for none
};

// What each instruction set provides; see kernel.h.
#define DECLARE_KERNEL(SET)                                                                          \
  namespace SET {                                                                                    \
  int train(const Training<float>&);                                                                 \
  void predict(const Network<float>&, const float* parameters, const float* x, long rows, float* f); \
  void gradient(const Network<float>&, const float* parameters, const float* x, const float* y,      \
                long rows, float beta, float* gradient);                                             \
  void gradient(const Network<double>&, const double* parameters, const double* x, const double* y,  \
                long rows, double beta, double* gradient);                                           \
  }
DECLARE_KERNEL(portable)
DECLARE_KERNEL(avx2)
DECLARE_KERNEL(avx512)
#undef DECLARE_KERNEL
