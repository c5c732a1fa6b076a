// Aligned memory for the kernels, which include this inside their namespace.
#pragma once

// `count` zeros, aligned to the widest vector; the caller frees them.
template <class T>
T* allocate(long count) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, sizeof(T) * (count > 0 ? count : 1))) abort();
  memset(memory, 0, sizeof(T) * count);
  return (T*)memory;
}
