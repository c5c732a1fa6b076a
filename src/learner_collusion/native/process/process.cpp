// A Gaussian process over one-hot encoded categories: a constant times a Hamming kernel, plus white noise, as
// scikit-optimize builds it. Additions, products, divisions and square roots alone, in a fixed order and never fused, and
// exp and log made of them: the same bytes on every machine, which no BLAS and no libm gives.
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

// exp(x): a power of 2 times a Taylor series on |r| <= log(2) / 2, to about 1e-16.
double exponential(double x) {
  if (x < -745) return 0;
  if (x > 709) return INFINITY;
  const double power = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - power * 0.693147180369123816490) - power * 1.90821492927058770002e-10;  // log(2) in two parts
  double sum = 1;
  for (int term = 13; term > 0; term--) sum = 1 + sum * r / term;
  return std::ldexp(sum, (int)power);
}

// log(x) of a positive number: the exponent's, and 2 artanh((m - 1) / (m + 1)) of a mantissa near 1, to about 1e-16.
double logarithm(double x) {
  int exponent;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752440) mantissa *= 2, exponent--;
  const double s = (mantissa - 1) / (mantissa + 1), square = s * s;
  double sum = 0;
  for (int term = 23; term > 0; term -= 2) sum = sum * square + 1.0 / term;
  return 2 * s * sum + exponent * 0.69314718055994530942;
}

struct Process {
  int n, columns;
  const uint8_t* x;  // [n][columns], zeros and ones
  const double* y;
  double jitter;
  std::vector<double> kernel, lower, inverse, alpha;  // of the last evaluation

  int parameters() const { return columns + 2; }
  const uint8_t* row(int i) const { return x + (int64_t)i * columns; }

  // exp(-scale) for each column: what a difference there multiplies the kernel by.
  std::vector<double> factors(const double* theta) const {
    std::vector<double> factor(columns);
    for (int k = 0; k < columns; k++) factor[k] = exponential(-exponential(theta[1 + k]));
    return factor;
  }

  double similarity(const uint8_t* a, const uint8_t* b, const std::vector<double>& factor, double constant) const {
    double value = constant;
    for (int k = 0; k < columns; k++)
      if (a[k] != b[k]) value *= factor[k];
    return value;
  }

  // The negative logarithm of the marginal likelihood at `theta`, the logarithms of constant, scales and noise (Rasmussen and
  // Williams 2006, Eq. 5.8 and 5.9), and its gradient. Infinity where the kernel is not positive definite.
  double evaluate(const double* theta, double* gradient) {
    const double constant = exponential(theta[0]), noise = exponential(theta[columns + 1]);
    const std::vector<double> factor = factors(theta);
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) kernel[i * n + j] = similarity(row(i), row(j), factor, constant);
    double logarithms = 0;
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) {
        double sum = kernel[i * n + j] + (i == j ? noise + jitter : 0);
        for (int k = 0; k < j; k++) sum -= lower[i * n + k] * lower[j * n + k];
        if (i > j) {
          lower[i * n + j] = sum / lower[j * n + j];
        } else {
          if (!(sum > 0) || sum > 1e300) return INFINITY;
          lower[i * n + i] = std::sqrt(sum);
          logarithms += logarithm(lower[i * n + i]);
        }
      }
    // the inverse of the lower triangle, then of the whole
    for (int j = 0; j < n; j++)
      for (int i = j; i < n; i++) {
        double sum = i == j ? 1 : 0;
        for (int k = j; k < i; k++) sum -= lower[i * n + k] * inverse[k * n + j];
        inverse[i * n + j] = sum / lower[i * n + i];
      }
    std::vector<double> z(n);
    for (int i = 0; i < n; i++) {
      z[i] = 0;
      for (int j = 0; j <= i; j++) z[i] += inverse[i * n + j] * y[j];
    }
    double fit = 0;
    for (int i = 0; i < n; i++) fit += z[i] * z[i];
    for (int j = 0; j < n; j++) {
      alpha[j] = 0;
      for (int i = j; i < n; i++) alpha[j] += inverse[i * n + j] * z[i];
    }
    for (int p = 0; p < parameters(); p++) gradient[p] = 0;
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) {
        double product = 0;
        for (int k = i; k < n; k++) product += inverse[k * n + i] * inverse[k * n + j];
        // twice for the two halves of the matrix, once on the diagonal
        const double slope = (i == j ? 0.5 : 1) * (product - alpha[i] * alpha[j]);
        gradient[0] += slope * kernel[i * n + j];
        if (i == j) gradient[columns + 1] += slope * noise;
        const uint8_t *a = row(i), *b = row(j);
        for (int k = 0; k < columns; k++)
          if (a[k] != b[k]) gradient[1 + k] -= slope * kernel[i * n + j];
      }
    for (int k = 0; k < columns; k++) gradient[1 + k] *= exponential(theta[1 + k]);
    return 0.5 * fit + logarithms + 0.5 * n * 1.8378770664093454836;  // log(2 pi)
  }
};

double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

// Minimises the process's function from `theta` within bounds by a projected quasi-Newton method (BFGS on the variables
// that are free, Armijo's rule along the projected path; Kelley 1999, Section 5.5). It stops as SciPy's L-BFGS-B does by default.
double minimise(Process& process, std::vector<double>& theta, const std::vector<double>& low, const std::vector<double>& high) {
  const int size = process.parameters();
  std::vector<double> gradient(size), next(size), slope(size), direction(size), product(size), hessian(size * size);
  for (int p = 0; p < size; p++) theta[p] = clamp(theta[p], low[p], high[p]);
  double value = process.evaluate(theta.data(), gradient.data());
  if (!std::isfinite(value)) return value;
  bool fresh = true;
  for (int iteration = 0; iteration < 15000; iteration++) {
    double largest = 0;
    std::vector<char> free(size);
    for (int p = 0; p < size; p++) {
      const double move = std::fabs(clamp(theta[p] - gradient[p], low[p], high[p]) - theta[p]);
      if (move > largest) largest = move;
      free[p] = !(theta[p] <= low[p] && gradient[p] > 0) && !(theta[p] >= high[p] && gradient[p] < 0);
    }
    if (largest <= 1e-5) break;
    double descent = 0;
    for (int again = fresh; again < 2; again++) {
      if (again) {  // forget the curvature: the direction of steepest descent, of length at most 1
        double norm = 0;
        for (int p = 0; p < size; p++) norm += free[p] ? gradient[p] * gradient[p] : 0;
        const double scale = norm > 1 ? 1 / std::sqrt(norm) : 1;
        for (int p = 0; p < size * size; p++) hessian[p] = p % (size + 1) ? 0 : scale;
        fresh = true;
      }
      descent = 0;
      for (int p = 0; p < size; p++) {
        direction[p] = 0;
        for (int q = 0; q < size; q++)
          if (free[p] && free[q]) direction[p] -= hessian[p * size + q] * gradient[q];
        descent += direction[p] * gradient[p];
      }
      if (descent < 0) break;
    }
    const bool steepest = fresh;
    double step = 1, found = INFINITY;
    for (int halving = 0; halving < 30; halving++, step *= 0.5) {
      double expected = 0;
      for (int p = 0; p < size; p++) {
        next[p] = clamp(theta[p] + step * direction[p], low[p], high[p]);
        expected += gradient[p] * (next[p] - theta[p]);
      }
      found = process.evaluate(next.data(), slope.data());
      if (found <= value + 1e-4 * expected) break;
      found = INFINITY;
    }
    if (!std::isfinite(found)) {
      if (fresh) break;
      fresh = true;
      continue;
    }
    double curvature = 0, change = 0, length = 0;
    for (int p = 0; p < size; p++) {
      const double s = next[p] - theta[p], y = slope[p] - gradient[p];
      curvature += s * y;
      change += y * y;
      length += s * s;
    }
    if (curvature > 1e-10 * std::sqrt(change * length)) {
      if (fresh)
        for (int p = 0; p < size * size; p++) hessian[p] = p % (size + 1) ? 0 : curvature / change;
      double quadratic = 0;
      for (int p = 0; p < size; p++) {
        product[p] = 0;
        for (int q = 0; q < size; q++) product[p] += hessian[p * size + q] * (slope[q] - gradient[q]);
        quadratic += product[p] * (slope[p] - gradient[p]);
      }
      for (int p = 0; p < size; p++)
        for (int q = 0; q < size; q++) {
          const double sp = next[p] - theta[p], sq = next[q] - theta[q];
          hessian[p * size + q] += (1 + quadratic / curvature) * (sp * sq / curvature) -
                                   (product[p] * sq + sp * product[q]) / curvature;
        }
      fresh = false;
    }
    double scale = std::fabs(value) > std::fabs(found) ? std::fabs(value) : std::fabs(found);
    if (scale < 1) scale = 1;
    const bool enough = value - found <= 2.220446049250313e-09 * scale;
    theta = next;
    gradient = slope;
    value = found;
    if (enough && steepest) break;  // a poor curvature ends in short steps, too: try without it first
    if (enough) fresh = true;
  }
  return value;
}

}  // namespace

extern "C" {

// Fits the process to x [n][columns] and y [n] from `starts` starts: each is `from` [starts][columns + 2], shares of the way
// between the logarithms of the bounds [columns + 2][2], but the first, all zeros, which is scikit-optimize's. Returns the lowest
// negative log likelihood (of equal ones the first), with `theta` [columns + 2], `alpha` [n] and `inverse` [n][n], that of
// the lower triangle. Not finite where no start gave a positive definite kernel.
double collusion_process_fit(int n, int columns, const uint8_t* x, const double* y, double jitter, const double* bounds,
                             int starts, const double* from, double* theta, double* alpha, double* inverse) {
  Process process{n, columns, x, y, jitter, std::vector<double>(n * n), std::vector<double>(n * n), std::vector<double>(n * n),
                  std::vector<double>(n)};
  const int size = process.parameters();
  std::vector<double> low(size), high(size), best(size), point(size), gradient(size);
  for (int p = 0; p < size; p++) low[p] = logarithm(bounds[2 * p]), high[p] = logarithm(bounds[2 * p + 1]);
  double lowest = INFINITY;
  for (int start = 0; start < starts; start++) {
    for (int p = 0; p < size; p++)
      point[p] = start == 0 ? from[p] : low[p] + (high[p] - low[p]) * from[start * size + p];
    const double value = minimise(process, point, low, high);
    if (value < lowest) lowest = value, best = point;
  }
  if (!std::isfinite(lowest)) return lowest;
  process.evaluate(best.data(), gradient.data());
  for (int p = 0; p < size; p++) theta[p] = best[p];
  for (int i = 0; i < n; i++) {
    alpha[i] = process.alpha[i];
    for (int j = 0; j < n; j++) inverse[i * n + j] = j <= i ? process.inverse[i * n + j] : 0;
  }
  return lowest;
}

// The mean of the process at `points` [count][columns] and its variance, both in units of the normalised y; no noise.
void collusion_process_predict(int n, int columns, const uint8_t* x, const double* theta, const double* alpha,
                               const double* inverse, int64_t count, const uint8_t* points, double* mean, double* variance) {
  Process process{n, columns, x, nullptr, 0, {}, {}, {}, {}};
  const std::vector<double> factor = process.factors(theta);
  const double constant = exponential(theta[0]);
  std::vector<double> k(n);
  for (int64_t point = 0; point < count; point++) {
    mean[point] = 0;
    for (int i = 0; i < n; i++) {
      k[i] = process.similarity(points + point * columns, process.row(i), factor, constant);
      mean[point] += k[i] * alpha[i];
    }
    double explained = 0;
    for (int i = 0; i < n; i++) {
      double part = 0;
      for (int j = 0; j <= i; j++) part += inverse[i * n + j] * k[j];
      explained += part * part;
    }
    variance[point] = constant > explained ? constant - explained : 0;
  }
}

}  // extern "C"
