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

// Calls work(t, first, last) for each of `threads` equal parts of `count`, each on a thread of its own.
template <class Work>
void in_parts(long count, int threads, Work work) {
  if (threads > count) threads = count > 0 ? (int)count : 1;
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; t++) helpers.emplace_back(work, t, count * t / threads, count * (t + 1) / threads);
  work(0, 0, count / threads);
  for (auto& helper : helpers) helper.join();
}

template <class T>
void convolution(const Convolution<T>& c, int threads, int set) {
  in_parts(c.count, threads, [&](int, long first, long last) {
#if defined(__x86_64__)
    if (set == AVX512) return avx512::convolution(c, first, last);
    if (set == AVX2) return avx2::convolution(c, first, last);
#endif
    portable::convolution(c, first, last);
  });
}

template <class T>
void convolution_back(const Convolution<T>& c, T* weight, T* bias, int threads, int set) {
  const size_t outputs = (size_t)c.groups * c.outputs, size = outputs * c.kernel * c.kernel * c.inputs;
  std::vector<T> sums((size + outputs) * threads, 0);  // each thread's own, added up in their order
  in_parts(c.count, threads, [&](int t, long first, long last) {
    T *own = sums.data() + (size + outputs) * t, *own_bias = own + size;
#if defined(__x86_64__)
    if (set == AVX512) return avx512::convolution_back(c, first, last, own, own_bias);
    if (set == AVX2) return avx2::convolution_back(c, first, last, own, own_bias);
#endif
    portable::convolution_back(c, first, last, own, own_bias);
  });
  for (int t = 0; t < threads; t++) {
    const T* own = sums.data() + (size + outputs) * t;
    for (size_t i = 0; i < size; i++) weight[i] += own[i];
    for (size_t i = 0; i < outputs; i++) bias[i] += own[size + i];
  }
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

// A batch of convolutions with pool and ReLU, forward; and back, adding to the zeroed gradients of weights and biases.
void collusion_convolution_float(const Convolution<float>* c, int threads, int wanted) {
  convolution(*c, threads, chosen(wanted));
}
void collusion_convolution_double(const Convolution<double>* c, int threads, int wanted) {
  convolution(*c, threads, chosen(wanted));
}
void collusion_convolution_back_float(const Convolution<float>* c, float* weight, float* bias, int threads, int wanted) {
  convolution_back(*c, weight, bias, threads, chosen(wanted));
}
void collusion_convolution_back_double(const Convolution<double>* c, double* weight, double* bias, int threads,
                                       int wanted) {
  convolution_back(*c, weight, bias, threads, chosen(wanted));
}

}  // extern "C"
