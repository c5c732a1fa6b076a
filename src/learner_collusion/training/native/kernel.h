// Training of one ensemble of MLPs, compiled once per instruction set (SET, WIDTH, TILE_ROWS, TILE_COLUMNS).
//
// The learners are the lanes of the vectors: element [i][k] of every array holds that number for WIDTH learners side
// by side. So one loop nest serves any number of inputs, hidden units and layers without padding. Learners that do not
// fill a vector take the next power of two of its lanes, and the rest of the vector works on further rows of the batch:
// with WIDTH 8, four learners take two rows at a time, one learner takes eight. Lanes without a learner stay zero.
//
// No standard containers here: their inline functions, compiled for one instruction set, could be linked into another.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

namespace SET {
namespace {

#include "product.h"
#include "block.h"

// Each input beside itself, once for each lane; rows that fill the last group up are zero.
template <class T, int LANES>
void spread_input(const Block<T>& block, const T* x, long rows, long features) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const long group = WIDTH / LANES, whole = block.groups(rows) * group;
  for (long i = 0; i < whole; i++) {
    Lanes* to = (Lanes*)(block.input + (i / group) * features * WIDTH + (i % group) * LANES);
    for (long k = 0; k < features; k++) to[k * group] = Lanes{} + (i < rows ? x[i * features + k] : (T)0);
  }
}

template <class T>
void forward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const long groups = block.groups(rows);
  const T* weights = block.parameters;
  const T* previous = block.input;
  T* current = block.activations;
  if (block.group > 1) BY_LANES(block, spread_input, block, x, rows, shape.features);
  for (int layer = 0; layer <= shape.layers; layer++) {
    const long in = shape.inputs(layer), out = shape.outputs(layer);
    const T* bias = weights + in * out * WIDTH;
    if (layer == shape.layers) {  // one linear output: a plain dot product of each row with the weights
      product<T, false, PLAIN>(groups, 1, in, previous, in * WIDTH, WIDTH, weights, WIDTH, WIDTH, current, WIDTH,
                               nullptr, 0);
      for (long i = 0; i < groups; i++) *(Lanes*)(current + i * WIDTH) += *(const Lanes*)bias;
    } else if (layer == 0 && block.group == 1) {
      product<T, true, RELU>(groups, out, in, x, in, 1, weights, out * WIDTH, WIDTH, current, out * WIDTH, bias, 0);
    } else {
      product<T, false, RELU>(groups, out, in, previous, in * WIDTH, WIDTH, weights, out * WIDTH, WIDTH, current,
                              out * WIDTH, bias, 0);
    }
    weights = bias + out * WIDTH;
    previous = current;
    current += capacity * out * WIDTH;
  }
}

// Adds up the gradients of a group's rows; all of them get the sum.
template <class T, int LANES>
void add_groups(const Block<T>& block, long parameters) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  for (long p = 0; p < parameters; p++) {
    Lanes* rows = (Lanes*)(block.gradient + p * WIDTH);
    Lanes sum = rows[0];
#pragma GCC unroll 16
    for (int row = 1; row < WIDTH / LANES; row++) sum += rows[row];
#pragma GCC unroll 16
    for (int row = 0; row < WIDTH / LANES; row++) rows[row] = sum;
  }
}

// block.deltas starts with the derivative of the objective by each learner's output, [row][lane].
template <class T>
void backward(const Shape& shape, Block<T>& block, const T* x, long rows, long capacity) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const long groups = block.groups(rows);
  T *delta = block.deltas, *below = block.deltas + capacity * shape.hidden * WIDTH;
  long offset = shape.parameters() * WIDTH;
  for (int layer = shape.layers; layer >= 0; layer--) {
    const long in = shape.inputs(layer), out = shape.outputs(layer);
    offset -= (in + 1) * out * WIDTH;
    T* gradient = block.gradient + offset;
    for (long n = 0; n < out; n++) {
      Lanes sum = Lanes{};
      for (long i = 0; i < groups; i++) sum += *(const Lanes*)(delta + (i * out + n) * WIDTH);
      *(Lanes*)(gradient + (in * out + n) * WIDTH) = sum;
    }
    if (layer == 0 && block.group == 1) {
      product<T, true, PLAIN>(in, out, rows, x, 1, in, delta, out * WIDTH, WIDTH, gradient, out * WIDTH, nullptr, 0);
      return;
    }
    const T* activation = layer == 0 ? block.input : block.activations + (layer - 1) * capacity * shape.hidden * WIDTH;
    product<T, false, PLAIN>(in, out, groups, activation, WIDTH, in * WIDTH, delta, out * WIDTH, WIDTH, gradient,
                             out * WIDTH, nullptr, 0);
    if (layer == 0) break;
    product<T, false, MASK>(groups, in, out, delta, out * WIDTH, WIDTH, block.parameters + offset, WIDTH, out * WIDTH,
                            below, in * WIDTH, activation, in * WIDTH);
    T* swap = delta;
    delta = below;
    below = swap;
  }
  BY_LANES(block, add_groups, block, shape.parameters());
}

// Adam (Kingma & Ba 2015) as PyTorch computes it, weight decay as L2 in the gradient.
template <class T>
void adam(Block<T>& block, long parameters, T rate, T decay, long step) {
  const double correction1 = 1 - pow(0.9, (double)step), correction2 = 1 - pow(0.999, (double)step);
  const T size = (T)(rate / correction1), root = (T)(1 / sqrt(correction2));
  const long count = parameters * WIDTH;
  T* __restrict weights = (T*)__builtin_assume_aligned(block.parameters, 64);
  T* __restrict mean = (T*)__builtin_assume_aligned(block.mean, 64);
  T* __restrict square = (T*)__builtin_assume_aligned(block.square, 64);
  const T* __restrict gradient = (const T*)__builtin_assume_aligned(block.gradient, 64);
  for (long p = 0; p < count; p++) {
    const T g = gradient[p] + decay * weights[p];
    const T m = mean[p] + (T)0.1 * (g - mean[p]);
    const T v = (T)0.999 * square[p] + (T)0.001 * (g * g);
    mean[p] = m;
    square[p] = v;
    const T spread = sizeof(T) == 4 ? (T)__builtin_sqrtf((float)v) : (T)__builtin_sqrt((double)v);
    weights[p] -= size * (m / (spread * root + (T)1e-8));
  }
}

// The sum of the lanes, halves first.
template <class T, int LANES>
struct Total {
  static T of(const T* lanes) {
    T half[LANES / 2];
    for (int lane = 0; lane < LANES / 2; lane++) half[lane] = lanes[lane] + lanes[lane + LANES / 2];
    return Total<T, LANES / 2>::of(half);
  }
};
template <class T>
struct Total<T, 1> {
  static T of(const T* lanes) { return lanes[0]; }
};

// Adds this block's share of the ensemble's mean to mean[row].
template <class T, int LANES>
void add_to_mean(const Block<T>& block, const T* outputs, long rows, T* mean) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights;
  for (long i = 0; i < rows; i++) {
    const Lanes share = weights * *(const Lanes*)(outputs + i * LANES);
    mean[i] += Total<T, LANES>::of((const T*)&share);
  }
}

// Adds this block's share of the sums of ERR-bar and DIV (Def. 4.1, Eq. 1) over the rows.
template <class T, int LANES>
void add_to_errors(const Block<T>& block, const T* outputs, const T* y, const T* mean, long rows, double* err_bar,
                   double* div) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights;
  Lanes errors = Lanes{}, spread = Lanes{};
  for (long i = 0; i < rows; i++) {
    const Lanes f = *(const Lanes*)(outputs + i * LANES), error = f - y[i], deviation = f - mean[i];
    errors += weights * (error * error);
    spread += weights * (deviation * deviation);
  }
  *err_bar += Total<T, LANES>::of((const T*)&errors);
  *div += Total<T, LANES>::of((const T*)&spread);
}

// The derivative of the objective by each learner's output, into block.deltas.
template <class T, int LANES>
void start_backward(Block<T>& block, const T* outputs, const T* y, const T* mean, long rows, T beta) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights * ((T)2 / (T)rows);
  const T alone = (T)1 - beta;
  for (long i = 0; i < rows; i++) {
    const Lanes f = *(const Lanes*)(outputs + i * LANES);
    *(Lanes*)(block.deltas + i * LANES) = weights * (alone * (f - y[i]) + beta * (mean[i] - y[i]));
  }
  for (long i = rows; i < block.groups(rows) * block.group; i++) *(Lanes*)(block.deltas + i * LANES) = Lanes{};
}

template <class T>
struct Ensemble {
  Shape shape;
  const Network<T>* network;
  int blocks;
  Block<T>* block;
  T* mean;        // the ensemble's prediction of each row
  long capacity;  // rows of a batch that the activations have room for

  Ensemble(const Network<T>& net, long rows) : network(&net), capacity(rows) {
    shape = Shape{net.features, net.hidden, net.layers};
    block = (Block<T>*)calloc(net.learners, sizeof(Block<T>));
    if (!block) abort();
    blocks = 0;
    mean = allocate<T>(rows);
    for (int first = 0; first < net.learners;) {
      const int left = net.learners - first;
      Block<T>& b = block[blocks++];
      for (b.lanes = 1; b.lanes < left && b.lanes < WIDTH;) b.lanes *= 2;
      b.group = WIDTH / b.lanes;
      b.first = first;
      b.used = left < b.lanes ? left : b.lanes;
      const long count = shape.parameters() * WIDTH, layer = capacity * shape.hidden * WIDTH;
      b.parameters = allocate<T>(count);
      b.gradient = allocate<T>(count);
      b.mean = allocate<T>(count);
      b.square = allocate<T>(count);
      b.activations = allocate<T>(shape.layers * layer + capacity * WIDTH);
      b.deltas = allocate<T>(2 * layer);
      b.weights = allocate<T>(b.lanes);
      b.input = b.group > 1 ? allocate<T>(capacity * shape.features * WIDTH) : nullptr;
      for (int lane = 0; lane < b.used; lane++) b.weights[lane] = net.weights[first + lane];
      first += b.used;
    }
  }
  ~Ensemble() {
    for (int i = 0; i < blocks; i++) {
      T* arrays[] = {block[i].parameters,  block[i].gradient, block[i].mean,   block[i].square,
                     block[i].activations, block[i].deltas,   block[i].weights, block[i].input};
      for (T* array : arrays) free(array);
    }
    free(mean);
    free(block);
  }
  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;

  void load(const T* parameters) {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++)
      for (int lane = 0; lane < WIDTH; lane++) {
        const int learner = lane % block[i].lanes;
        if (learner >= block[i].used) continue;
        for (long p = 0; p < count; p++)
          block[i].parameters[p * WIDTH + lane] = parameters[(block[i].first + learner) * count + p];
      }
  }
  void store(T* parameters, bool gradients = false) const {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++) {
      const T* source = gradients ? block[i].gradient : block[i].parameters;
      for (int lane = 0; lane < block[i].used; lane++)
        for (long p = 0; p < count; p++)
          parameters[(block[i].first + lane) * count + p] = source[p * WIDTH + lane];
    }
  }

  T* outputs(const Block<T>& b) const { return b.activations + shape.layers * capacity * shape.hidden * WIDTH; }

  void predict(const T* x, long rows) {
    memset(mean, 0, sizeof(T) * rows);
    for (int j = 0; j < blocks; j++) {
      forward(shape, block[j], x, rows, capacity);
      BY_LANES(block[j], add_to_mean, block[j], outputs(block[j]), rows, mean);
    }
  }

  // Derivatives of (1 - beta) ERR-bar + beta ERR (Eq. 2) by all parameters, after predict(x, rows).
  void differentiate(const T* x, const T* y, long rows, T beta) {
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], start_backward, block[j], outputs(block[j]), y, mean, rows, beta);
      backward(shape, block[j], x, rows, capacity);
    }
  }

  // Adds the ERR, ERR-bar and DIV of rows that were just predicted, each from its own formula.
  void measure(const T* y, long rows, double* err, double* err_bar, double* div) const {
    for (long i = 0; i < rows; i++) *err += (double)(mean[i] - y[i]) * (mean[i] - y[i]);
    for (int j = 0; j < blocks; j++)
      BY_LANES(block[j], add_to_errors, block[j], outputs(block[j]), y, mean, rows, err_bar, div);
  }
};

template <class T>
void train_(const Training<T>& task) {
  const Network<T>& net = task.network;
  const long features = net.features;
  Ensemble<T> ensemble(net, task.batch);
  const long parameters = ensemble.shape.parameters();
  ensemble.load(task.initial);
  ensemble.store(task.best);
  T *x = allocate<T>(task.batch * features), *y = allocate<T>(task.batch);
  double best = INFINITY;
  long step = 0;
  int waited = 0, epoch = 0;
  task.outcome[0] = task.outcome[1] = task.outcome[2] = 0;
  while (epoch < task.epochs && waited < task.patience && !task.outcome[2]) {
    const int32_t* order = task.orders + (long)epoch * task.rows;
    double* record = task.history + (long)epoch * HISTORY_COLUMNS;
    double unused = 0;
    for (int c = 0; c < HISTORY_COLUMNS; c++) record[c] = 0;
    for (long start = 0; start < task.rows; start += task.batch) {
      const long rows = task.rows - start < task.batch ? task.rows - start : task.batch;
      for (long i = 0; i < rows; i++) {
        memcpy(x + i * features, task.x + order[start + i] * features, sizeof(T) * features);
        y[i] = task.y[order[start + i]];
      }
      ensemble.predict(x, rows);
      ensemble.measure(y, rows, &record[0], &record[1], &unused);
      ensemble.differentiate(x, y, rows, task.beta);
      step++;
      for (int j = 0; j < ensemble.blocks; j++)
        adam<T>(ensemble.block[j], parameters, (T)task.rate, (T)task.decay, step);
    }
    for (long start = 0; start < task.validation_rows; start += task.batch) {
      const long left = task.validation_rows - start, rows = left < task.batch ? left : task.batch;
      ensemble.predict(task.validation_x + start * features, rows);
      ensemble.measure(task.validation_y + start, rows, &record[2], &record[3], &record[4]);
    }
    record[0] /= task.rows;
    record[1] /= task.rows;
    for (int c = 2; c < HISTORY_COLUMNS; c++) record[c] /= task.validation_rows;
    epoch++;
    if (!isfinite(record[1]) || !isfinite(record[3])) {
      task.outcome[2] = epoch;
    } else if (record[2] < best) {
      best = record[2];
      waited = 0;
      task.outcome[1] = epoch;
      ensemble.store(task.best);
    } else {
      waited++;
    }
  }
  task.outcome[0] = epoch;
  ensemble.store(task.last);
  free(x);
  free(y);
}

template <class T>
void gradient_(const Network<T>& net, const T* parameters, const T* x, const T* y, long rows, T beta, T* gradient) {
  Ensemble<T> ensemble(net, rows);
  ensemble.load(parameters);
  ensemble.predict(x, rows);
  ensemble.differentiate(x, y, rows, beta);
  ensemble.store(gradient, true);
}

}  // namespace

void train(const Training<float>& task) { train_<float>(task); }

void predict(const Network<float>& net, const float* parameters, const float* x, long rows, float* f) {
  const long batch = 64;
  Ensemble<float> ensemble(net, batch);
  ensemble.load(parameters);
  for (long start = 0; start < rows; start += batch) {
    const long count = rows - start < batch ? rows - start : batch;
    ensemble.predict(x + start * net.features, count);
    for (int j = 0; j < ensemble.blocks; j++) {
      const Block<float>& b = ensemble.block[j];
      for (long i = 0; i < count; i++)
        for (int lane = 0; lane < b.used; lane++)
          f[(start + i) * net.learners + b.first + lane] = ensemble.outputs(b)[i * b.lanes + lane];
    }
  }
}

void gradient(const Network<float>& net, const float* parameters, const float* x, const float* y, long rows,
              float beta, float* gradient) {
  gradient_<float>(net, parameters, x, y, rows, beta, gradient);
}
void gradient(const Network<double>& net, const double* parameters, const double* x, const double* y, long rows,
              double beta, double* gradient) {
  gradient_<double>(net, parameters, x, y, rows, beta, gradient);
}

}  // namespace SET
