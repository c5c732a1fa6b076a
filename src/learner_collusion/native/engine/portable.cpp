// Any processor: vectors of four lanes, which every compiler lowers to what the machine has.
#define SET portable
#define WIDTH 4
#define TILE_ROWS 4
#include "kernel.h"
