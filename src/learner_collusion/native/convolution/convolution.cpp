// The exported functions of the convolution: they pick the instruction set, and share the images among a few threads.
#include "convolution.h"

#include "../machine.h"

namespace {

// Calls work(t, first, last) for each of `threads` equal parts of `count` images, each on its own thread.
template <class Work>
void in_parts(long count, int threads, Work work) {
  if (threads > count) threads = count > 0 ? (int)count : 1;
  on_threads(threads, [&](int t) { work(t, count * t / threads, count * (t + 1) / threads); });
}

template <class T>
void forward(const Convolution<T>& c, int threads, int wanted) {
  const int set = instruction_set(wanted);
  in_parts(c.count, threads, [&](int, long first, long last) { CALL_KERNEL(set, convolution, c, first, last); });
}

template <class T>
void backward(const Convolution<T>& c, T* weight, T* bias, int threads, int wanted) {
  const int set = instruction_set(wanted);
  const size_t outputs = (size_t)c.groups * c.outputs, size = outputs * c.kernel * c.kernel * c.inputs;
  std::vector<T> sums((size + outputs) * threads, 0);  // one part for each thread, added up in their order
  in_parts(c.count, threads, [&](int t, long first, long last) {
    T* part = sums.data() + (size + outputs) * t;
    CALL_KERNEL(set, convolution_back, c, first, last, part, part + size);
  });
  for (int t = 0; t < threads; t++) {
    const T* part = sums.data() + (size + outputs) * t;
    for (size_t i = 0; i < size; i++) weight[i] += part[i];
    for (size_t i = 0; i < outputs; i++) bias[i] += part[size + i];
  }
}

}  // namespace

extern "C" {

void collusion_convolution_float(const Convolution<float>* c, int threads, int wanted) { forward(*c, threads, wanted); }
void collusion_convolution_double(const Convolution<double>* c, int threads, int wanted) {
  forward(*c, threads, wanted);
}

// The backward pass adds to the gradients of weights and biases, which the caller has set to zero.
void collusion_convolution_back_float(const Convolution<float>* c, float* weight, float* bias, int threads, int wanted) {
  backward(*c, weight, bias, threads, wanted);
}
void collusion_convolution_back_double(const Convolution<double>* c, double* weight, double* bias, int threads,
                                       int wanted) {
  backward(*c, weight, bias, threads, wanted);
}

}  // extern "C"
