// The random orders in which the epochs of a sweep take the rows.
#include <cstdint>
#include <utility>

// Shuffles each of `epochs` copies of 0 .. rows - 1, one after the other, as NumPy's Generator.permuted does: from the last
// element on, each changes places with one of those up to itself, drawn by masked rejection. `next` draws 32 bits from `state`.
extern "C" void collusion_permute(void* state, uint32_t (*next)(void*), int64_t epochs, int64_t rows, int32_t* out) {
  for (int64_t epoch = 0; epoch < epochs; epoch++, out += rows) {
    for (int64_t i = 0; i < rows; i++) out[i] = (int32_t)i;
    for (uint32_t i = (uint32_t)(rows - 1); rows > 1 && i > 0; i--) {
      uint32_t mask = i, j;
      for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
      do j = next(state) & mask;
      while (j > i);
      std::swap(out[i], out[j]);
    }
  }
}
