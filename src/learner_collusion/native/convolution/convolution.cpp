// The exported functions of the convolution: they pick the instruction set, and share the images among a few threads.
#include "convolution.h"

#include <atomic>

#include "../allocate.h"
#include "../machine.h"

namespace {

// Calls work(t, first, last) for each of `threads` equal parts of `count` images, each on its own thread; false where
// memory ran out.
template <class Work>
bool in_parts(long count, int threads, Work work) {
  std::atomic<bool> enough{true};
  on_threads(threads, [&](int t) {
    try {
      work(t, count * t / threads, count * (t + 1) / threads);
    } catch (const OutOfMemory&) {
      enough = false;
    }
  });
  return enough;
}

int at_most(int threads, long count) { return threads <= count ? threads : count > 0 ? (int)count : 1; }

template <class T>
int forward(const Convolution<T>& c, int threads, int wanted) {
  const int set = instruction_set(wanted);
  return !in_parts(c.count, at_most(threads, c.count),
                   [&](int, long first, long last) { CALL_KERNEL(set, convolution, c, first, last); });
}

template <class T>
int backward(const Convolution<T>& c, T* weight, T* bias, int threads, int wanted) try {
  const int set = instruction_set(wanted);
  threads = at_most(threads, c.count);
  const long outputs = c.groups * c.outputs, size = outputs * c.kernel * c.kernel * c.inputs;
  Array<T> sums((size + outputs) * threads);  // one part for each thread, added up in their order
  const bool enough = in_parts(c.count, threads, [&](int t, long first, long last) {
    T* part = sums + (size + outputs) * t;
    CALL_KERNEL(set, convolution_back, c, first, last, part, part + size);
  });
  for (int t = 0; t < threads; t++) {
    const T* part = sums + (size + outputs) * t;
    for (long i = 0; i < size; i++) weight[i] += part[i];
    for (long i = 0; i < outputs; i++) bias[i] += part[size + i];
  }
  return !enough;
} catch (const OutOfMemory&) {
  return 1;
}

}  // namespace

// All return 0, or 1 where memory ran out.
extern "C" {

int collusion_convolution_float(const Convolution<float>* c, int threads, int wanted) {
  return forward(*c, threads, wanted);
}
int collusion_convolution_double(const Convolution<double>* c, int threads, int wanted) {
  return forward(*c, threads, wanted);
}

// The backward pass adds to the gradients of weights and biases, which the caller has set to zero.
int collusion_convolution_back_float(const Convolution<float>* c, float* weight, float* bias, int threads, int wanted) {
  return backward(*c, weight, bias, threads, wanted);
}
int collusion_convolution_back_double(const Convolution<double>* c, double* weight, double* bias, int threads,
                                      int wanted) {
  return backward(*c, weight, bias, threads, wanted);
}

}  // extern "C"
