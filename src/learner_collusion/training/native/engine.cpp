// The exported functions: they pick the instruction set, and train the betas of a sweep on a few threads.
#include "engine.h"

#include <atomic>
#include <thread>
#include <vector>

namespace {

enum { PORTABLE = 1, AVX2 = 2, AVX512 = 3 };

int supported() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
  return PORTABLE;
}

int chosen(int wanted) {
  const int best = supported();
  if (wanted > 0) return wanted < best ? wanted : best;
#if defined(__x86_64__)
  // Zen 4 does 512 bits in two halves: blocks of 8 lanes are as fast there, and leave fewer lanes empty.
  if (best == AVX512 && __builtin_cpu_is("amdfam19h")) return AVX2;
#endif
  return best;
}

void train(int set, const Training<float>& task) {
#if defined(__x86_64__)
  if (set == AVX512) return avx512::train(task);
  if (set == AVX2) return avx2::train(task);
#endif
  return portable::train(task);
}

template <class T>
void gradient(int set, const Network<T>& net, const T* parameters, const T* x, const T* y, long rows, T beta, T* out) {
#if defined(__x86_64__)
  if (set == AVX512) return avx512::gradient(net, parameters, x, y, rows, beta, out);
  if (set == AVX2) return avx2::gradient(net, parameters, x, y, rows, beta, out);
#endif
  return portable::gradient(net, parameters, x, y, rows, beta, out);
}

}  // namespace

extern "C" {

// The instruction set that suits this machine best: 1 portable, 2 AVX2 with FMA, 3 AVX-512.
int collusion_instruction_set() { return chosen(0); }

// Trains `count` ensembles that differ in beta alone. Each is trained by one thread from beginning to end, so its
// numbers do not depend on how many threads there are or on what is trained beside it.
void collusion_train(const Training<float>* tasks, int count, int threads, int wanted) {
  const int set = chosen(wanted);
  std::atomic<int> next{0};
  auto work = [&] {
    for (int i = next++; i < count; i = next++) train(set, tasks[i]);
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads && t < count; t++) helpers.emplace_back(work);
  work();
  for (auto& helper : helpers) helper.join();
}

// Predictions f[rows][learners] of an ensemble.
void collusion_predict(const Network<float>* net, const float* parameters, const float* x, long rows, float* f,
                       int wanted) {
  const int set = chosen(wanted);
#if defined(__x86_64__)
  if (set == AVX512) return avx512::predict(*net, parameters, x, rows, f);
  if (set == AVX2) return avx2::predict(*net, parameters, x, rows, f);
#endif
  portable::predict(*net, parameters, x, rows, f);
}

// Derivatives of the augmented objective over one batch, [learners][parameters]; for the tests.
void collusion_gradient_float(const Network<float>* net, const float* parameters, const float* x, const float* y,
                              long rows, float beta, float* out, int wanted) {
  gradient<float>(chosen(wanted), *net, parameters, x, y, rows, beta, out);
}
void collusion_gradient_double(const Network<double>* net, const double* parameters, const double* x, const double* y,
                               long rows, double beta, double* out, int wanted) {
  gradient<double>(chosen(wanted), *net, parameters, x, y, rows, beta, out);
}

}  // extern "C"
