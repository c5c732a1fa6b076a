// Aligned memory for the kernels.
#pragma once
#include <stdlib.h>
#include <string.h>

struct OutOfMemory {};  // thrown by `allocate`, caught by the exported functions

namespace {

// `count` zeros, aligned to 16 doubles; the caller frees them.
template <class T>
T* allocate(long count) {
  void* memory = nullptr;
  if (count < 0 || count > (1L << 58) || posix_memalign(&memory, 128, sizeof(T) * (count > 0 ? count : 1)))
    throw OutOfMemory{};
  memset(memory, 0, sizeof(T) * count);
  return (T*)memory;
}

// The same, freed where it goes out of scope.
template <class T>
struct Array {
  T* const memory;
  explicit Array(long count) : memory(allocate<T>(count)) {}
  ~Array() { free(memory); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  operator T*() const { return memory; }
};

}  // namespace
