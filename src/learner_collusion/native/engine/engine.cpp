// The exported functions of the engine: they pick the instruction set, and train the betas of a sweep on a few threads.
#include "engine.h"

#include <atomic>

#include "../machine.h"

extern "C" {

// Trains `count` ensembles that differ only in beta. One thread trains each from beginning to end, so its numbers do not
// depend on the number of threads or on what is trained beside it.
void collusion_train(const Training<float>* tasks, int count, int threads, int wanted) {
  const int set = instruction_set(wanted);
  std::atomic<int> next{0};
  on_threads(threads < count ? threads : count, [&](int) {
    for (int i = next++; i < count; i = next++) CALL_KERNEL(set, train, tasks[i]);
  });
}

// Predictions f[rows][learners] of an ensemble.
void collusion_predict(const Network<float>* net, const float* parameters, const float* x, long rows, float* f,
                       int wanted) {
  CALL_KERNEL(instruction_set(wanted), predict, *net, parameters, x, rows, f);
}

// Derivatives of the augmented objective over one batch, [learners][parameters]; for the tests.
void collusion_gradient_float(const Network<float>* net, const float* parameters, const float* x, const float* y,
                              long rows, float beta, float* out, int wanted) {
  CALL_KERNEL(instruction_set(wanted), gradient, *net, parameters, x, y, rows, beta, out);
}
void collusion_gradient_double(const Network<double>* net, const double* parameters, const double* x, const double* y,
                               long rows, double beta, double* out, int wanted) {
  CALL_KERNEL(instruction_set(wanted), gradient, *net, parameters, x, y, rows, beta, out);
}

}  // extern "C"
