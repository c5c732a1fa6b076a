// Whether the emulated a * b + c gives the bits of the C library's fmaf; prints how many of the cases differ.
#include <stdio.h>

#include <random>

#include "../../src/learner_collusion/native/fused.h"

typedef float Four __attribute__((vector_size(16)));

long differing(Four a, Four b, Four c) {
  const Four found = fused<float>(a, b, c);
  long count = 0;
  for (int lane = 0; lane < 4; lane++) {
    const float number = found[lane], right = fmaf(a[lane], b[lane], c[lane]);
    count += memcmp(&number, &right, sizeof right) != 0 && !(number != number && right != right);
  }
  return count;
}

int main() {
  // Rounding to double gives the middle between two floats, and rounding that once more goes the wrong way: among normal
  // numbers, among subnormal ones, and below the largest.
  const float a = ldexpf(1 + ldexpf(1, -23), -12), b = ldexpf(1 - ldexpf(1, -23), -12);
  const float odd[] = {1 + ldexpf(1, -23), ldexpf(1, -126) - ldexpf(1, -149)};
  long wrong = differing(Four{} + a, Four{} + b, Four{} + odd[0]);
  wrong += differing(Four{} + ldexpf(a, -63), Four{} + ldexpf(b, -63), Four{} + odd[1]);
  wrong += differing(Four{} + ldexpf(a, 64), Four{} + ldexpf(b, 63), Four{} + 3.4028235e38f);
  std::mt19937 random(0);
  const auto any = [&] {  // all exponents, or a few; now and then a subnormal number, an infinity or NaN
    uint32_t bits = random(), kind = random() % 8;
    if (kind < 4) bits = (bits & 0x807fffff) | (100 + random() % 40) << 23;
    if (kind == 4) bits &= 0x80ff0000;
    if (kind == 5) bits &= 0x807fffff;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
  };
  for (int i = 0; i < 1000000; i++) {
    Four x, y, z;
    for (int lane = 0; lane < 4; lane++) {
      x[lane] = any(), y[lane] = any();
      z[lane] = random() % 2 ? any() : -x[lane] * y[lane] * (1 + random() % 3 * ldexpf(1, -23));
    }
    wrong += differing(x, y, z);
  }
  printf("%ld\n", wrong);
}
