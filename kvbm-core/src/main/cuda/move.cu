// Moves many pieces of blocks in one launch, all of the same size, each from one address to another: gathering,
// scattering and converting between layouts are only a matter of the addresses.
//
// gridDim.x counts the pieces; gridDim.y divides the work on each. A piece is outer x inner rows of rowBytes bytes, and
// row (o, i) goes where row (i, o) of the transposed piece lies: this is how tokens x heads become heads x tokens. With
// outer = 1 it is a copy.
//
// An address may be of this device, of another one that it reaches, or of page-locked host memory. compile.py makes the
// PTX that is shipped.

struct Piece {
    unsigned long long source;
    unsigned long long destination;
};

// Loads on their way per thread before the first store waits for one; what hides the latency of the bus.
constexpr unsigned IN_FLIGHT = 4;

template <typename Unit>
__device__ void move(const Piece *pieces, unsigned bytes, unsigned outer, unsigned inner, unsigned rowBytes) {
    const Piece piece = pieces[blockIdx.x];
    const Unit *from = reinterpret_cast<const Unit *>(piece.source);
    Unit *to = reinterpret_cast<Unit *>(piece.destination);
    const unsigned units = bytes / sizeof(Unit);
    const unsigned rowUnits = rowBytes / sizeof(Unit);
    const unsigned threads = gridDim.y * blockDim.x;
    for (unsigned first = blockIdx.y * blockDim.x + threadIdx.x; first < units; first += IN_FLIGHT * threads) {
        Unit held[IN_FLIGHT];
#pragma unroll
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            const unsigned at = first + k * threads;
            if (at < units) {
                held[k] = from[at];
            }
        }
#pragma unroll
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            const unsigned at = first + k * threads;
            if (at < units) {
                const unsigned row = at / rowUnits;
                const unsigned transposed = (row % inner * outer + row / inner) * rowUnits + at % rowUnits;
                to[outer == 1 ? at : transposed] = held[k];
            }
        }
    }
}

// The number is what every address and size must be a multiple of.
#define KERNEL(width, Unit)                                                                                            \
    extern "C" __global__ void kvbm_move_##width(const Piece *pieces, unsigned bytes, unsigned outer, unsigned inner,  \
                                                 unsigned rowBytes) {                                                  \
        move<Unit>(pieces, bytes, outer, inner, rowBytes);                                                             \
    }

KERNEL(16, uint4)
KERNEL(4, unsigned)
KERNEL(1, unsigned char)
