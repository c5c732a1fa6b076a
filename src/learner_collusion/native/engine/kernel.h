// Training of one ensemble of MLPs, compiled once per instruction set (SET, WIDTH, TILE_ROWS).
//
// The learners are the lanes of the vectors: element [i][k] of an array holds that number for several learners side by
// side. So one loop nest serves any number of inputs, hidden units and layers without padding. Learners that do not fill
// a vector of 16 lanes take a power of two of them, and the rest of the vector works on further rows of the batch: four
// learners take four rows at a time, one learner takes sixteen. Their parameters are stored once and repeated when they
// are loaded. The machine may have narrower vectors; block.h says how the sums keep their order.
//
// So that every machine and compiler gives the same bits: +, -, *, /, square root and fused multiply-add alone, fused only
// where it says `fused`, and no function of the C library whose last bit is free.
//
// No standard containers here: their inline functions, compiled for one instruction set, could be linked into another.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <utility>

#include "../allocate.h"
#include "../fused.h"
#include "engine.h"

namespace SET {
namespace {

#include "product.h"
#include "block.h"
#include "layers.h"

// Adam (Kingma & Ba 2015) as PyTorch computes it, weight decay as L2 in the gradient; 0.9^step and 0.999^step are given.
// In PyTorch's order, so that the same numbers overflow. The mean of a dead unit's gradients would fall to subnormal
// numbers and stay there, and those are slow: to add and subtract 1e-30 makes them 0, and changes nothing that counts.
template <class T>
void adam(Block<T>& block, T rate, T decay, double power1, double power2) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const Lanes size = Lanes{} + (T)(rate / (1 - power1)), root = Lanes{} + (T)(1 / sqrt(1 - power2));
  const Lanes shrink = Lanes{} + decay, tenth = Lanes{} + (T)0.1, epsilon = Lanes{} + (T)1e-8, tiny = Lanes{} + (T)1e-30;
  Lanes* weights = (Lanes*)block.parameters;
  Lanes* mean = (Lanes*)block.mean;
  Lanes* square = (Lanes*)block.square;
  const Lanes* gradient = (const Lanes*)block.gradient;
#pragma GCC unroll 2
  for (long p = 0; p < block.count / WIDTH; p++) {
    const Lanes g = fused<T>(shrink, weights[p], gradient[p]);
    const Lanes m = mean[p] = fused<T>(tenth, g - mean[p], mean[p]) + tiny - tiny;
    const Lanes v = square[p] = fused<T>((T)0.001 * g, g, (T)0.999 * square[p]);
    weights[p] -= m / fused<T>(square_root<T>(v), root, epsilon) * size;
  }
}

// NaN's sign and payload depend on the machine: what leaves the engine is always the same one.
template <class T>
T one_nan(T number) {
  return number == number ? number : (T)__builtin_nan("");
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

// One number for each lane of a block, as vectors no wider than the machine's.
template <class T, int LANES>
struct Row {
  static constexpr int OWN = Layout<LANES>::OWN, SLICES = Layout<LANES>::SLICES;
  typedef T Lanes __attribute__((vector_size(sizeof(T) * OWN)));
  Lanes part[SLICES];
  T sum() {
    const Lanes all = SET::total<SLICES>(part);
    return Total<T, OWN>::of((const T*)&all);
  }
};

// Adds this block's share of the ensemble's mean to mean[row], and clears what lanes without a learner predict, which may
// be NaN where an input is infinite.
template <class T, int LANES>
void add_to_mean(Block<T>& block, long rows, T* mean) {
  typedef Row<T, LANES> Numbers;
  const Numbers weights = *(const Numbers*)block.weights, present = *(const Numbers*)block.present;
  for (long i = 0; i < rows; i++) {
    Numbers share, &f = ((Numbers*)block.outputs)[i];
    for (int s = 0; s < Numbers::SLICES; s++) {
      f.part[s] = present.part[s] > 0 ? f.part[s] : typename Numbers::Lanes{};
      share.part[s] = weights.part[s] * f.part[s];
    }
    mean[i] += share.sum();
  }
}

// This block's share of the sum over the rows of the learners' squared distances from `target`: ERR-bar where that is y,
// DIV where it is the ensemble's mean (Def. 4.1, Eq. 1).
template <class T, int LANES>
void add_to_sum(const Block<T>& block, const T* target, long rows, double* sum) {
  typedef Row<T, LANES> Numbers;
  const Numbers weights = *(const Numbers*)block.weights, present = *(const Numbers*)block.present;
  Numbers sums = {};
  for (long i = 0; i < rows; i++)
    for (int s = 0; s < Numbers::SLICES; s++) {
      const auto distance = ((const Numbers*)block.outputs)[i].part[s] - target[i];
      sums.part[s] += distance * distance;
    }
  for (int s = 0; s < Numbers::SLICES; s++)
    sums.part[s] = present.part[s] > 0 ? weights.part[s] * sums.part[s] : typename Numbers::Lanes{};
  *sum += sums.sum();
}

// The derivative of the objective by each learner's output, into block.slopes.
template <class T, int LANES>
void start_backward(Block<T>& block, const T* y, const T* mean, long rows, T beta) {
  typedef Row<T, LANES> Numbers;
  const Numbers weights = *(const Numbers*)block.weights;
  const T alone = (T)1 - beta, share = (T)2 / (T)rows;
  for (long i = 0; i < rows; i++) {
    const T joint = beta * (mean[i] - y[i]);
    for (int s = 0; s < Numbers::SLICES; s++) {
      const auto f = ((const Numbers*)block.outputs)[i].part[s];
      ((Numbers*)block.slopes)[i].part[s] = weights.part[s] * share * (alone * (f - y[i]) + joint);
    }
  }
  for (long i = rows; i < block.padded(rows); i++) ((Numbers*)block.slopes)[i] = Numbers{};
}

template <class T>
struct Ensemble {
  Shape shape;
  int blocks = 0;
  Block<T>* block = nullptr;
  long capacity;                    // rows of a batch that there is room for, in whole vectors
  T *x = nullptr, *mean = nullptr;  // [capacity][features]; the ensemble's prediction of each row

  // Where memory runs out in the other constructor, this one has already made an object, which is then destroyed.
  explicit Ensemble(long rows) : capacity((rows + VIRTUAL - 1) / VIRTUAL * VIRTUAL) {}

  Ensemble(const Network<T>& net, long rows) : Ensemble(rows) {
    shape = Shape{net.features, net.hidden_units, net.layers};
    x = allocate<T>(capacity * net.features);
    mean = allocate<T>(capacity);
    block = allocate<Block<T>>(net.learners);
    const long parameters = shape.parameters(), layer = capacity * shape.hidden_units * WIDTH;
    for (long first = 0; first < net.learners;) {
      const long left = net.learners - first;
      Block<T>& b = block[blocks++];
      // a quarter of the lanes may stay empty; where it would be more, the rest goes to a block of its own (5 = 4 + 1)
      for (b.lanes = 1; b.lanes < VIRTUAL && 2 * b.lanes - b.lanes / 2 <= left;) b.lanes *= 2;
      b.own = b.lanes < WIDTH ? b.lanes : WIDTH;
      const long slices = b.lanes / b.own, group = WIDTH / b.own;
      b.rows_at_once = VIRTUAL / b.lanes;
      b.first = first;
      b.used = left < b.lanes ? left : b.lanes;
      b.slice = parameters * b.own;
      b.count = (b.slice * slices + VIRTUAL - 1) / VIRTUAL * VIRTUAL;
      b.parameters = allocate<T>(b.count);
      b.mean = allocate<T>(b.count);
      b.square = allocate<T>(b.count);
      b.gradient = allocate<T>(2 * b.count * group);
      b.weights = allocate<T>(b.lanes);
      b.present = allocate<T>(b.lanes);
      b.outputs = allocate<T>(capacity * b.lanes);
      b.slopes = allocate<T>(capacity * b.lanes);
      b.input = group > 1 ? allocate<T>(capacity / group * shape.features * WIDTH) : nullptr;
      b.activations = allocate<T>(slices * shape.layers * (layer / group));
      b.deltas = allocate<T>(2 * (layer / group));
      for (int lane = 0; lane < b.used; lane++) b.weights[lane] = net.weights[first + lane], b.present[lane] = 1;
      first += b.used;
    }
  }
  ~Ensemble() {
    for (int i = 0; i < blocks; i++) {
      Block<T>& b = block[i];
      T* arrays[] = {b.parameters, b.gradient, b.mean,  b.square,      b.weights, b.present,
                     b.outputs,    b.slopes,   b.input, b.activations, b.deltas};
      for (T* array : arrays) free(array);
    }
    free(x);
    free(mean);
    free(block);
  }
  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;

  void load(const T* parameters) {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++)
      for (int lane = 0; lane < block[i].used; lane++)
        for (long p = 0; p < count; p++)
          block[i].parameters[block[i].index(p, lane)] = parameters[(block[i].first + lane) * count + p];
  }
  void store(T* parameters, bool gradients = false) const {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++) {
      const T* source = gradients ? block[i].gradient : block[i].parameters;
      for (int lane = 0; lane < block[i].used; lane++)
        for (long p = 0; p < count; p++)
          parameters[(block[i].first + lane) * count + p] = one_nan(source[block[i].index(p, lane)]);
    }
  }

  // Predicts the first rows of x, which its owner has filled in. The last row is repeated to the end of the vector: the
  // rows beyond the batch have slope 0, and add nothing where they are finite whenever the batch is.
  void predict(long rows) {
    for (long i = rows; i % VIRTUAL; i++)
      memcpy(x + i * shape.features, x + (rows - 1) * shape.features, sizeof(T) * shape.features);
    memset(mean, 0, sizeof(T) * rows);
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], forward, shape, block[j], x, rows, capacity);
      BY_LANES(block[j], add_to_mean, block[j], rows, mean);
    }
  }

  void predict(const T* from, long rows) {
    memcpy(x, from, sizeof(T) * rows * shape.features);
    predict(rows);
  }

  // Derivatives of (1 - beta) ERR-bar + beta ERR (Eq. 2) by all parameters, after predict(rows).
  void differentiate(const T* y, long rows, T beta) {
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], start_backward, block[j], y, mean, rows, beta);
      BY_LANES(block[j], backward, shape, block[j], x, rows, capacity);
    }
  }

  // Adds the ERR, ERR-bar and, where it is asked for, DIV of rows that were just predicted, each from its own formula.
  void measure(const T* y, long rows, double* err, double* err_bar, double* div = nullptr) const {
    for (long i = 0; i < rows; i++) {
      const double distance = mean[i] - y[i];
      *err += distance * distance;
    }
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], add_to_sum, block[j], y, rows, err_bar);
      if (div) BY_LANES(block[j], add_to_sum, block[j], mean, rows, div);
    }
  }
};

template <class T>
int train_(const Training<T>& task) {
  const Network<T>& net = task.network;
  const long features = net.features;
  Ensemble<T> ensemble(net, task.batch_size);
  ensemble.load(task.initial);
  ensemble.store(task.best);
  double best = INFINITY;
  double power1 = 1, power2 = 1;  // 0.9 and 0.999 to the power of the step; the last bit of `pow` is free
  long waited = 0, epoch = 0;
  Array<T> y(task.batch_size);
  task.outcome[0] = task.outcome[1] = task.outcome[2] = 0;
  while (epoch < task.max_epochs && waited < task.patience && !task.outcome[2]) {
    const int32_t* order = task.permutations + epoch * task.rows;
    double* record = task.history + epoch * HISTORY_WIDTH;
    for (int c = 0; c < HISTORY_WIDTH; c++) record[c] = 0;
    for (long start = 0; start < task.rows; start += task.batch_size) {
      const long rows = task.rows - start < task.batch_size ? task.rows - start : task.batch_size;
      for (long i = 0; i < rows; i++) {
        const long row = order[start + i];
        if (row < 0 || row >= task.rows) return NO_SUCH_ROW;
        memcpy(ensemble.x + i * features, task.x + row * features, sizeof(T) * features);
        y[i] = task.y[row];
      }
      ensemble.predict(rows);
      ensemble.measure(y, rows, &record[0], &record[1]);
      ensemble.differentiate(y, rows, task.beta);
      power1 *= 0.9;
      power2 *= 0.999;
      for (int j = 0; j < ensemble.blocks; j++)
        adam<T>(ensemble.block[j], (T)task.learning_rate, (T)task.weight_decay, power1, power2);
    }
    for (long start = 0; start < task.validation_rows; start += task.batch_size) {
      const long left = task.validation_rows - start, rows = left < task.batch_size ? left : task.batch_size;
      ensemble.predict(task.validation_x + start * features, rows);
      ensemble.measure(task.validation_y + start, rows, &record[2], &record[3], &record[4]);
    }
    // in single precision, as the PyTorch engine sums: what overflows there counts as diverged here
    const bool finite = isfinite(record[1]) && isfinite((T)record[3]);
    for (int c = 0; c < HISTORY_WIDTH; c++) record[c] = one_nan(record[c] / (c < 2 ? task.rows : task.validation_rows));
    epoch++;
    if (!finite) {
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
  return DONE;
}

template <class T>
void gradient_(const Network<T>& net, const T* parameters, const T* x, const T* y, long rows, T beta, T* gradient) {
  Ensemble<T> ensemble(net, rows);
  ensemble.load(parameters);
  ensemble.predict(x, rows);
  ensemble.differentiate(y, rows, beta);
  ensemble.store(gradient, true);
}

}  // namespace

int train(const Training<float>& task) { return train_<float>(task); }

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
          f[(start + i) * net.learners + b.first + lane] = one_nan(b.outputs[i * b.lanes + lane]);
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
