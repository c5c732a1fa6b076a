// What the engine and the convolution share: the choice of the instruction set, and work on a few threads.
//
// Only for the files compiled without special flags: inline functions of the standard library, compiled for AVX-512 in a
// kernel, could be linked into code that has to run without it.
#pragma once
#include <thread>
#include <vector>

enum InstructionSet { PORTABLE = 1, AVX2 = 2, AVX512 = 3 };

// The instruction set to use: the best for this machine where `wanted` is 0, else `wanted`, as far as the machine has it.
int instruction_set(int wanted);

// Calls FUNCTION of the kernel that was compiled for the instruction set SET.
#if defined(__x86_64__)
#define CALL_KERNEL(SET, FUNCTION, ...)                     \
  ((SET) == AVX512 ? avx512::FUNCTION(__VA_ARGS__)          \
   : (SET) == AVX2 ? avx2::FUNCTION(__VA_ARGS__)            \
                   : portable::FUNCTION(__VA_ARGS__))
#else
#define CALL_KERNEL(SET, FUNCTION, ...) ((void)(SET), portable::FUNCTION(__VA_ARGS__))
#endif

// Calls work(t) for t from 0 to threads - 1, each on its own thread, the first one on this thread.
template <class Work>
void on_threads(int threads, Work work) {
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; t++) helpers.emplace_back(work, t);
  work(0);
  for (auto& helper : helpers) helper.join();
}
