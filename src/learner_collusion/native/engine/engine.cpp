// The exported functions of the engine: they pick the instruction set, and train the betas of a sweep on a few threads.
#include "engine.h"

#include <atomic>

#include "../allocate.h"
#include "../machine.h"

namespace {

// Calls `work`, and returns what it returns, or that there was no memory.
template <class Work>
int guarded(Work work) {
  try {
    return work();
  } catch (const OutOfMemory&) {
    return OUT_OF_MEMORY;
  }
}

}  // namespace

extern "C" {

// Trains `count` ensembles that differ only in beta. One thread trains each from beginning to end, so its numbers do not
// depend on the number of threads or on what is trained beside it.
int collusion_train(const Training<float>* tasks, long count, int threads, int wanted) {
  const int set = instruction_set(wanted);
  std::atomic<long> next{0};
  std::atomic<int> outcome{DONE};
  on_threads(threads < count ? threads : (int)count, [&](int) {
    for (long i = next++; i < count; i = next++) {
      const int code = guarded([&] { return CALL_KERNEL(set, train, tasks[i]); });
      if (code != DONE) outcome = code;
    }
  });
  return outcome;
}

// Predictions f[rows][learners] of an ensemble.
int collusion_predict(const Network<float>* net, const float* parameters, const float* x, long rows, float* f, int wanted) {
  return guarded([&] {
    CALL_KERNEL(instruction_set(wanted), predict, *net, parameters, x, rows, f);
    return DONE;
  });
}

// Derivatives of the augmented objective over one batch, [learners][parameters]; for the tests.
int collusion_gradient_float(const Network<float>* net, const float* parameters, const float* x, const float* y,
                             long rows, float beta, float* out, int wanted) {
  return guarded([&] {
    CALL_KERNEL(instruction_set(wanted), gradient, *net, parameters, x, y, rows, beta, out);
    return DONE;
  });
}
int collusion_gradient_double(const Network<double>* net, const double* parameters, const double* x, const double* y,
                              long rows, double beta, double* out, int wanted) {
  return guarded([&] {
    CALL_KERNEL(instruction_set(wanted), gradient, *net, parameters, x, y, rows, beta, out);
    return DONE;
  });
}

}  // extern "C"
