/*
 * A stand-in for NVIDIA's libcuda.so.1, for tests on machines without a GPU.
 *
 * It has what JCuda calls for this project, behaves as the driver does where that matters to a program, and is
 * stricter where the driver lets a mistake pass: what breaks our rules is counted as a violation. Device memory is host
 * memory behind tagged addresses, a stream is a thread with a queue, and a kernel is known by its name: PTX is kept and
 * searched, not run. The functions kvbm_stand_in_* at the end are for tests: they inject faults and tell what happened.
 *
 * One mutex guards everything but the bytes; one condition tells of every change. A primary context is its device.
 * Copies, fills and launches are operations; marks of events and waits for them are queued among them but not counted.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- What cuda.h would say ---------------------------------------------------------------------------------------- */

typedef uint64_t CUdeviceptr;
typedef int CUdevice;

#define RESULTS(X)                                                        \
    X(0, SUCCESS, "no error")                                             \
    X(1, INVALID_VALUE, "invalid argument")                               \
    X(2, OUT_OF_MEMORY, "out of memory")                                  \
    X(3, NOT_INITIALIZED, "initialization error")                         \
    X(100, NO_DEVICE, "no CUDA-capable device is detected")               \
    X(101, INVALID_DEVICE, "invalid device ordinal")                      \
    X(201, INVALID_CONTEXT, "invalid device context")                     \
    X(214, ECC_UNCORRECTABLE, "uncorrectable ECC error encountered")      \
    X(218, INVALID_PTX, "a PTX JIT compilation failed")                   \
    X(400, INVALID_HANDLE, "invalid resource handle")                     \
    X(500, NOT_FOUND, "named symbol not found")                           \
    X(600, NOT_READY, "device not ready")                                 \
    X(700, ILLEGAL_ADDRESS, "an illegal memory access was encountered")   \
    X(702, LAUNCH_TIMEOUT, "the launch timed out and was terminated")     \
    X(704, PEER_ACCESS_ALREADY_ENABLED, "peer access is already enabled") \
    X(709, CONTEXT_IS_DESTROYED, "context is destroyed")                  \
    X(712, HOST_MEMORY_ALREADY_REGISTERED, "memory is already mapped")    \
    X(713, HOST_MEMORY_NOT_REGISTERED, "memory is not mapped")            \
    X(715, ILLEGAL_INSTRUCTION, "an illegal instruction was encountered") \
    X(716, MISALIGNED_ADDRESS, "misaligned address")                      \
    X(719, LAUNCH_FAILED, "unspecified launch failure")                   \
    X(801, NOT_SUPPORTED, "operation not supported")                      \
    X(999, UNKNOWN, "unknown error")

typedef enum {
#define NUMBER(code, name, text) name = code,
    RESULTS(NUMBER)
#undef NUMBER
} CUresult;

/* ---- What there is ------------------------------------------------------------------------------------------------ */

/* A tag says whose memory an address is: 0 the host's, n + 1 that of device n. With it no CPU takes the address. */
enum { TAG_SHIFT = 48, MAX_DEVICES = 16, FRESH = 0xA5, FREED = 0x5A };
#define UNTAGGED ((UINT64_C(1) << TAG_SHIFT) - 1)

typedef struct {
    int retains;
    CUresult error;  /* sticky: of an operation that failed; nothing of this context works from then on */
    unsigned reach;  /* the tags of the devices whose memory its operations may name, a bit each */
    size_t used;
} Context;

/* Memory that operations may name: of a device, or page-locked memory of the host. */
typedef struct Range {
    struct Range *next;
    uint64_t tag;
    char *base;
    size_t size;
    int ours;   /* allocated here, not merely registered */
    int users;  /* operations that are running on it */
    int going;  /* being freed or unregistered, which waits for all that is queued */
    int blamed;
} Range;

/* A record of an event: later records are other marks, so what waits for this one is not misled by them. */
typedef struct {
    int references;
    int reached;
} Mark;

typedef struct Event {
    struct Event *next;
    Context *context;
    Mark *mark;
} Event;

/* Where an operation reads or writes, and the tags allowed there; none allowed: pageable host memory, not checked. */
typedef struct {
    uint64_t address;
    unsigned allowed;
} Place;

typedef struct {
    char *to, *from;
} Piece;

typedef struct Operation {
    struct Operation *next;
    enum { COPY, FILL, MOVE, MARK, WAIT } kind;
    long number;
    Place to, from; /* of a move: from is the list of its pieces */
    uint32_t count, outer, inner, row, grain;
    size_t bytes; /* of each piece */
    int fill, dropped;
    void *snapshot; /* of pageable memory, taken when the copy was asked for */
    Mark *mark;
    Piece *pieces; /* as found when it is executed, with the ranges that it holds meanwhile */
    Range **held;
    uint32_t holds;
} Operation;

typedef struct Stream {
    struct Stream *next;
    Context *context;
    Operation *first, *last;
    int closing;
} Stream;

typedef struct Module {
    struct Module *next;
    char *text;
    uint32_t grains[3]; /* of its kernels, in the order of KERNELS; a function is a pointer to one */
} Module;

static const struct {
    const char *name;
    uint32_t grain;
} KERNELS[] = {{"kvbm_move_16", 16}, {"kvbm_move_4", 4}, {"kvbm_move_1", 1}};
enum { KERNEL_COUNT = 3, PARAMETERS = 5, THREADS_PER_BLOCK = 1024, GRID_Y = 65535, LOCKED_HOST = 1 };

/* An error that strikes when left reaches 0. */
typedef struct {
    long left;
    CUresult error;
} Fault;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int initialised, device_count, holding;
static size_t device_memory;
static Context devices[MAX_DEVICES];
static Range *ranges;
static Stream *streams;
static Event *events;
static Module *modules;
static long call_count, operation_count, violation_count, last_number, delay_micros;
static Fault call_fault, query_fault, operation_fault;
static char last_violation[256];

static __thread Context *stack[32];
static __thread int depth;

#define UNLINK(list, element)                                         \
    do {                                                              \
        __typeof__(element) *link_ = &(list);                         \
        while (*link_ != (element)) link_ = &(*link_)->next;          \
        *link_ = (element)->next;                                     \
    } while (0)

/* malloc, for the few bytes of bookkeeping that no test does without */
static void *make(size_t count, size_t size) {
    void *made = calloc(count ? count : 1, size);
    if (made == NULL) abort();
    return made;
}

/* ---- Errors and violations ---------------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void violate(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_violation, sizeof last_violation, format, arguments);
    va_end(arguments);
    violation_count++;
}

static int is_sticky(CUresult error) {
    return (error >= 700 && error <= 719 && (error < 704 || error > 713)) || error == ECC_UNCORRECTABLE || error == UNKNOWN;
}

/* All that is queued is dropped at once, marks are reached: nothing of it may run when a test has healed the context. */
static void break_down(Context *context, CUresult error) {
    if (context->error == SUCCESS) context->error = error;
    for (Stream *stream = streams; stream != NULL; stream = stream->next) {
        for (Operation *queued = stream->first; stream->context == context && queued != NULL; queued = queued->next) {
            queued->dropped = 1;
            if (queued->kind == MARK) queued->mark->reached = 1;
        }
    }
    pthread_cond_broadcast(&changed);
}

static int strikes(Fault *fault) { return fault->left > 0 && --fault->left == 0; }

/* ---- The way in and out of every call ----------------------------------------------------------------------------- */

/* What a call presupposes; what gives something back works in a broken context too, and tells of the error. */
typedef enum { NOTHING, INITIALISED, CURRENT, HEALTHY } Level;

static Context *current(void) { return depth > 0 ? stack[depth - 1] : NULL; }

static CUresult admit(Level level) {
    Context *context = current();
    if (level >= INITIALISED && !initialised) return NOT_INITIALIZED;
    if (level >= CURRENT && context == NULL) return INVALID_CONTEXT;
    if (level >= CURRENT && context->retains == 0) return CONTEXT_IS_DESTROYED;
    return level >= HEALTHY ? context->error : SUCCESS;
}

static void unlock(int *ignored) { (void)ignored; pthread_mutex_unlock(&lock); }

/* From here to the end of the function, whichever way it ends. */
#define LOCKED __attribute__((cleanup(unlock), unused)) int locked_ = pthread_mutex_lock(&lock)

static CUresult begin(Level level) {
    call_count++;
    if (strikes(&call_fault)) {
        if (!is_sticky(call_fault.error)) return call_fault.error;
        if (current() != NULL) break_down(current(), call_fault.error);
        return level == CURRENT ? admit(level) : call_fault.error; /* what gives something back does so all the same */
    }
    return admit(level);
}

#define ENTER(level)                 \
    LOCKED;                          \
    CUresult refusal = begin(level); \
    if (refusal != SUCCESS) return refusal
#define REQUIRE(condition, error) \
    if (!(condition)) return error

/* ---- Ranges ------------------------------------------------------------------------------------------------------- */

static Range *add_range(uint64_t tag, char *base, size_t size, int ours) {
    Range *range = make(1, sizeof *range);
    *range = (Range){.next = ranges, .tag = tag, .base = base, .size = size, .ours = ours};
    return ranges = range;
}

static int holds(const Range *range, const char *base, size_t size) {
    return base >= range->base && size <= range->size && (size_t)(base - range->base) <= range->size - size;
}

static Range *range_that_holds(uint64_t tag, const char *base, size_t size) {
    Range *range = ranges;
    while (range != NULL && !(range->tag == tag && holds(range, base, size))) range = range->next;
    return range;
}

static Range *range_at(uint64_t tag, const char *base, int ours) {
    Range *range = ranges;
    while (range != NULL && !(range->tag == tag && range->base == base && range->ours == ours && !range->going))
        range = range->next;
    return range;
}

static int touches_locked(const char *base, size_t size) {
    for (Range *range = ranges; range != NULL; range = range->next)
        if (range->tag == 0 && base < range->base + range->size && range->base < base + size) return 1;
    return 0;
}

/* The driver waits for what is queued before it frees, so nothing breaks here either; but nobody may rely on that. */
static void blame(Range *range) {
    if (!range->blamed)
        violate("%s [%p, +%zu) %s while an operation uses it", range->tag ? "device memory" : "host memory",
                (void *)range->base, range->size, range->ours ? "freed" : "unregistered");
    range->blamed = 1;
}

/* Whether something up to this number is left in this stream, or in all of this context, or in all. */
static int is_pending(const Stream *one, const Context *context, long number) {
    for (Stream *stream = streams; stream != NULL; stream = stream->next)
        if ((one == NULL || stream == one) && (context == NULL || stream->context == context) && stream->first != NULL &&
            stream->first->number <= number)
            return 1;
    return 0;
}

static void await(const Stream *one, const Context *context) {
    for (long number = last_number; is_pending(one, context, number);) pthread_cond_wait(&changed, &lock);
}

static void remove_range(Range *range) {
    range->going = 1;
    if (range->users > 0) blame(range);
    await(NULL, NULL);
    while (range->users > 0) pthread_cond_wait(&changed, &lock);
    UNLINK(ranges, range);
    if (range->ours) {
        memset(range->base, FREED, range->size);
        __asm__ volatile("" ::: "memory"); /* or the compiler leaves the poison out */
        free(range->base);
    }
    if (range->tag > 0) devices[range->tag - 1].used -= range->size;
    free(range);
}

/* ---- Streams ------------------------------------------------------------------------------------------------------ */

static void release(Mark *mark) {
    if (mark != NULL && --mark->references == 0) free(mark);
}

/* Where the place really is, and the operation holds its range from now on; NULL and a violation where it is nowhere. */
static char *take(Operation *operation, Place place, size_t size) {
    uint64_t tag = place.address >> TAG_SHIFT;
    char *base = (char *)(uintptr_t)(place.address & UNTAGGED);
    if (place.allowed == 0) return base;
    Range *range = tag <= MAX_DEVICES && (place.allowed >> tag & 1) ? range_that_holds(tag, base, size) : NULL;
    if (range == NULL) {
        violate("operation %ld uses [%#llx, +%zu), which is not within one live allocation or registration that it may "
                "use: used after free, past its end, or of another device", operation->number,
                (unsigned long long)place.address, size);
        return NULL;
    }
    if (range->going) blame(range);
    range->users++;
    operation->held[operation->holds++] = range;
    return base;
}

static CUresult misaligned(const Operation *operation, const char *what, uint64_t value) {
    violate("operation %ld moves units of %u bytes, and its %s %#llx is no multiple of that", operation->number,
            operation->grain, what, (unsigned long long)value);
    return MISALIGNED_ADDRESS;
}

static CUresult find_pieces(Operation *operation) {
    uint64_t (*list)[2] = (void *)take(operation, operation->from, sizeof *list * operation->count);
    uint32_t grain = operation->grain;
    if (list == NULL) return ILLEGAL_ADDRESS;
    if ((uintptr_t)list % sizeof **list) return misaligned(operation, "list at", operation->from.address);
    if (operation->bytes % grain) return misaligned(operation, "bytes per piece", operation->bytes);
    if (operation->row % grain) return misaligned(operation, "bytes per row", operation->row);
    if (operation->outer != 1 && (uint64_t)operation->outer * operation->inner * operation->row != operation->bytes) {
        violate("operation %ld moves pieces of %zu bytes, which are not %u times %u rows of %u bytes", operation->number,
                operation->bytes, operation->outer, operation->inner, operation->row);
        return ILLEGAL_ADDRESS;
    }
    for (uint32_t i = 0; i < operation->count; i++) {
        if (list[i][0] % grain) return misaligned(operation, "source", list[i][0]);
        if (list[i][1] % grain) return misaligned(operation, "destination", list[i][1]);
        Piece *piece = &operation->pieces[i];
        piece->from = take(operation, (Place){list[i][0], operation->to.allowed}, operation->bytes);
        if (piece->from == NULL) return ILLEGAL_ADDRESS;
        piece->to = take(operation, (Place){list[i][1], operation->to.allowed}, operation->bytes);
        if (piece->to == NULL) return ILLEGAL_ADDRESS;
    }
    return SUCCESS;
}

static CUresult find(Operation *operation) {
    operation->pieces = make(operation->count, sizeof *operation->pieces);
    operation->held = make(2 * (size_t)operation->count + 1, sizeof *operation->held);
    if (operation->kind == MOVE) return find_pieces(operation);
    Piece *piece = operation->pieces;
    piece->to = take(operation, operation->to, operation->bytes);
    if (piece->to == NULL) return ILLEGAL_ADDRESS;
    if (operation->kind == FILL) return SUCCESS;
    piece->from = operation->snapshot ? operation->snapshot : take(operation, operation->from, operation->bytes);
    return piece->from == NULL ? ILLEGAL_ADDRESS : SUCCESS;
}

typedef struct {
    const char *start, *end;
    int written;
} Span;

static int by_start(const void *one, const void *other) {
    const char *first = ((const Span *)one)->start, *second = ((const Span *)other)->start;
    return (first > second) - (first < second);
}

/* A GPU moves all at once, so what is written may be nothing else that the operation names; here it would go well. */
static void look_for_overlaps(const Operation *operation) {
    Span *spans = make(2 * (size_t)operation->count, sizeof *spans);
    size_t count = 0;
    const char *end_of_read = NULL, *end_of_written = NULL;
    for (uint32_t i = 0; i < operation->count; i++) {
        const Piece *piece = &operation->pieces[i];
        spans[count++] = (Span){piece->to, piece->to + operation->bytes, 1};
        if (piece->from != NULL) spans[count++] = (Span){piece->from, piece->from + operation->bytes, 0};
    }
    qsort(spans, count, sizeof *spans, by_start);
    for (const Span *span = spans; span < spans + count; span++) {
        if (span->start < end_of_written || (span->written && span->start < end_of_read)) {
            violate("operation %ld writes into what it reads, or twice to one place, at %p", operation->number,
                    (const void *)span->start);
            break;
        }
        const char **end = span->written ? &end_of_written : &end_of_read;
        if (span->end > *end) *end = span->end;
    }
    free(spans);
}

/* Without the lock: the bytes are the program's, and it races with us as with a GPU. */
static void move_bytes(const Operation *operation) {
    size_t row = operation->row;
    for (const Piece *piece = operation->pieces; piece < operation->pieces + operation->count; piece++) {
        if (operation->kind == FILL) {
            memset(piece->to, operation->fill, operation->bytes);
        } else if (operation->outer == 1) {
            memmove(piece->to, piece->from, operation->bytes);
        } else {
            for (size_t o = 0; o < operation->outer; o++)
                for (size_t i = 0; i < operation->inner; i++)
                    memmove(piece->to + (i * operation->outer + o) * row,
                            piece->from + (o * operation->inner + i) * row, row);
        }
    }
}

static void execute(Context *context, Operation *operation) {
    long delay = delay_micros;
    operation_count++;
    if (strikes(&operation_fault)) {
        break_down(context, operation_fault.error);
        return;
    }
    if (delay > 0) {
        pthread_mutex_unlock(&lock);
        usleep((useconds_t)delay);
        pthread_mutex_lock(&lock);
        if (operation->dropped) return;
    }
    CUresult error = find(operation);
    if (error != SUCCESS) {
        break_down(context, error);
    } else {
        look_for_overlaps(operation);
        pthread_mutex_unlock(&lock);
        move_bytes(operation);
        pthread_mutex_lock(&lock);
    }
    while (operation->holds > 0) operation->held[--operation->holds]->users--;
}

/* What is dropped is passed over even in a GPU that hangs; a wait lets the stream stand until its mark is reached. */
static int can_go_on(const Stream *stream) {
    const Operation *next = stream->first;
    if (next == NULL) return stream->closing;
    return next->dropped || (!holding && (next->kind != WAIT || next->mark->reached));
}

static void *run(void *argument) {
    Stream *stream = argument;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!can_go_on(stream)) pthread_cond_wait(&changed, &lock);
        Operation *operation = stream->first;
        if (operation == NULL) break;
        if (operation->kind == MARK)
            operation->mark->reached = 1;
        else if (operation->kind != WAIT && !operation->dropped)
            execute(stream->context, operation);
        stream->first = operation->next;
        release(operation->mark);
        free(operation->snapshot);
        free(operation->pieces);
        free(operation->held);
        free(operation);
        pthread_cond_broadcast(&changed);
    }
    UNLINK(streams, stream);
    pthread_mutex_unlock(&lock);
    free(stream);
    return NULL;
}

/* The default stream is none of ours: it synchronises with all others, which nothing of ours may rely on. */
static Stream *stream_of(void *handle) {
    Stream *stream = streams;
    while (stream != NULL && !(stream == handle && !stream->closing)) stream = stream->next;
    return stream;
}

static Event *event_of(void *handle) {
    Event *event = events;
    while (event != NULL && event != handle) event = event->next;
    return event;
}

static void submit(Stream *stream, Operation order) {
    Operation *operation = make(1, sizeof *operation);
    *operation = order;
    operation->number = ++last_number;
    if (operation->mark != NULL) operation->mark->references++;
    if (stream->first == NULL) stream->first = operation;
    else stream->last->next = operation;
    stream->last = operation;
    pthread_cond_broadcast(&changed);
}

static CUresult copy(Stream *stream, Place to, Place from, size_t bytes, void *snapshot) {
    submit(stream, (Operation){.kind = COPY, .to = to, .from = from, .count = 1, .outer = 1, .bytes = bytes,
                               .snapshot = snapshot});
    return SUCCESS;
}

/* ---- The driver: start, errors, devices, contexts ----------------------------------------------------------------- */

static long setting(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

CUresult cuInit(unsigned flags) {
    ENTER(NOTHING);
    REQUIRE(flags == 0, INVALID_VALUE);
    if (!initialised) {
        long count = setting("KVBM_STAND_IN_DEVICES", 2);
        REQUIRE(count > 0 && count <= MAX_DEVICES, NO_DEVICE);
        device_count = (int)count;
        device_memory = (size_t)setting("KVBM_STAND_IN_MEMORY", 256L << 20);
        for (int i = 0; i < device_count; i++) devices[i].reach = 1u << (i + 1);
        initialised = 1;
    }
    return SUCCESS;
}

CUresult cuDriverGetVersion(int *version) { ENTER(NOTHING); *version = 12060; return SUCCESS; }

CUresult cuGetErrorName(CUresult error, const char **name) {
    switch (error) {
#define NAME(code, result, text) case result: *name = code ? "CUDA_ERROR_" #result : "CUDA_SUCCESS"; return SUCCESS;
        RESULTS(NAME)
#undef NAME
    }
    *name = NULL;
    return INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **string) {
    switch (error) {
#define TEXT(code, result, text) case result: *string = text; return SUCCESS;
        RESULTS(TEXT)
#undef TEXT
    }
    *string = NULL;
    return INVALID_VALUE;
}

CUresult cuDeviceGetCount(int *count) { ENTER(INITIALISED); *count = device_count; return SUCCESS; }

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    ENTER(INITIALISED);
    REQUIRE(ordinal >= 0 && ordinal < device_count, INVALID_DEVICE);
    *device = ordinal;
    return SUCCESS;
}

/* Of a call that takes a device; its context's error is not asked for, as none of these touches the device. */
#define ENTER_DEVICE(device) \
    ENTER(INITIALISED);      \
    REQUIRE((device) >= 0 && (device) < device_count, INVALID_DEVICE)

CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    ENTER_DEVICE(device);
    REQUIRE(size > 0, INVALID_VALUE);
    snprintf(name, (size_t)size, "kvbm stand-in %d", device);
    return SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
    ENTER_DEVICE(device);
    switch (attribute) {
        case 1: *value = THREADS_PER_BLOCK; break;
        case 6: *value = GRID_Y; break;
        case 5: *value = INT32_MAX; break;    /* the grid's x */
        case 10: *value = 32; break;          /* threads of a warp */
        case 16: *value = 4; break;           /* multiprocessors */
        case 33: *value = device + 1; break;  /* PCI bus */
        case 39: *value = 2048; break;        /* threads of a multiprocessor */
        case 40: *value = 2; break;           /* copy engines */
        case 75: *value = 9; break;           /* compute capability */
        case 19: case 41: case 91: case 99: *value = 1; break; /* host memory is mapped, registered, at one address */
        default: *value = 0;
    }
    return attribute > 0 ? SUCCESS : INVALID_VALUE;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    ENTER_DEVICE(device);
    *bytes = device_memory;
    return SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    ENTER_DEVICE(device);
    REQUIRE(peer >= 0 && peer < device_count, INVALID_DEVICE);
    *can = device != peer;
    return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(void **context, CUdevice device) {
    ENTER_DEVICE(device);
    REQUIRE(devices[device].error == SUCCESS, devices[device].error);
    devices[device].retains++;
    *context = &devices[device];
    return SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    LOCKED;
    CUresult refusal = begin(INITIALISED);
    if (refusal != SUCCESS && !is_sticky(refusal)) return refusal;
    REQUIRE(device >= 0 && device < device_count, INVALID_DEVICE);
    REQUIRE(devices[device].retains > 0, INVALID_CONTEXT);
    if (--devices[device].retains == 0) devices[device].reach = 1u << (device + 1);
    return devices[device].error;
}

static int is_context(const void *handle) {
    for (int i = 0; i < device_count; i++)
        if (handle == &devices[i]) return devices[i].retains > 0;
    return 0;
}

/* There are no graphs here to be captured, so it is enough that the call is there. */
CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
    ENTER(INITIALISED);
    REQUIRE(*mode >= 0 && *mode <= 2, INVALID_VALUE);
    static __thread int of_thread;
    int before = of_thread;
    of_thread = *mode;
    *mode = before;
    return SUCCESS;
}

CUresult cuCtxSetCurrent(void *context) {
    ENTER(INITIALISED);
    REQUIRE(context == NULL || is_context(context), INVALID_CONTEXT);
    if (depth == 0) depth = 1;
    stack[depth - 1] = context;
    return SUCCESS;
}

CUresult cuCtxGetCurrent(void **context) { ENTER(INITIALISED); *context = current(); return SUCCESS; }

CUresult cuCtxPushCurrent_v2(void *context) {
    ENTER(INITIALISED);
    REQUIRE(is_context(context) && depth < (int)(sizeof stack / sizeof *stack), INVALID_CONTEXT);
    stack[depth++] = context;
    return SUCCESS;
}

CUresult cuCtxPopCurrent_v2(void **context) {
    ENTER(INITIALISED);
    REQUIRE(depth > 0, INVALID_CONTEXT);
    Context *popped = stack[--depth];
    if (context != NULL) *context = popped;
    return SUCCESS;
}

CUresult cuCtxEnablePeerAccess(void *peer, unsigned flags) {
    ENTER(HEALTHY);
    REQUIRE(flags == 0, INVALID_VALUE);
    REQUIRE(is_context(peer), INVALID_CONTEXT);
    REQUIRE(peer != current(), INVALID_DEVICE);
    unsigned bit = 1u << ((Context *)peer - devices + 1);
    REQUIRE(!(current()->reach & bit), PEER_ACCESS_ALREADY_ENABLED);
    current()->reach |= bit;
    return SUCCESS;
}

CUresult cuCtxSynchronize(void) { ENTER(HEALTHY); await(NULL, current()); return current()->error; }

/* ---- The driver: memory ------------------------------------------------------------------------------------------- */

CUresult cuMemGetInfo_v2(size_t *unused, size_t *total) {
    ENTER(HEALTHY);
    *unused = device_memory - current()->used;
    *total = device_memory;
    return SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t size) {
    void *base;
    ENTER(HEALTHY);
    REQUIRE(size > 0, INVALID_VALUE);
    REQUIRE(size <= device_memory - current()->used && posix_memalign(&base, 512, size) == 0, OUT_OF_MEMORY);
    memset(base, FRESH, size);
    uint64_t tag = (uint64_t)(current() - devices) + 1;
    current()->used += size;
    add_range(tag, base, size, 1);
    *address = (uint64_t)(uintptr_t)base | tag << TAG_SHIFT;
    return SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
    ENTER(CURRENT);
    REQUIRE(address != 0, current()->error);
    Range *range = range_at(address >> TAG_SHIFT, (char *)(uintptr_t)(address & UNTAGGED), 1);
    REQUIRE(range != NULL && range->tag > 0, current()->error ? current()->error : INVALID_VALUE);
    remove_range(range);
    return current()->error;
}

CUresult cuMemHostAlloc(void **address, size_t size, unsigned flags) {
    ENTER(HEALTHY);
    REQUIRE(size > 0 && flags <= 7, INVALID_VALUE);
    REQUIRE(posix_memalign(address, 4096, size) == 0, OUT_OF_MEMORY);
    memset(*address, FRESH, size);
    add_range(0, *address, size, 1);
    return SUCCESS;
}

CUresult cuMemFreeHost(void *address) {
    ENTER(CURRENT);
    Range *range = range_at(0, address, 1);
    REQUIRE(range != NULL, current()->error ? current()->error : INVALID_VALUE);
    remove_range(range);
    return current()->error;
}

CUresult cuMemHostRegister_v2(void *address, size_t size, unsigned flags) {
    ENTER(HEALTHY);
    REQUIRE(address != NULL && size > 0 && flags <= 15, INVALID_VALUE);
    REQUIRE(!touches_locked(address, size), HOST_MEMORY_ALREADY_REGISTERED);
    add_range(0, address, size, 0);
    return SUCCESS;
}

CUresult cuMemHostUnregister(void *address) {
    ENTER(CURRENT);
    Range *range = range_at(0, address, 0);
    REQUIRE(range != NULL, current()->error ? current()->error : HOST_MEMORY_NOT_REGISTERED);
    remove_range(range);
    return current()->error;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *address, unsigned flags) {
    ENTER(HEALTHY);
    REQUIRE(flags == 0 && range_that_holds(0, address, 1) != NULL, INVALID_VALUE);
    *device = (uintptr_t)address; /* one address space for both, as on every GPU of our days */
    return SUCCESS;
}

/* ---- The driver: copies ------------------------------------------------------------------------------------------- */

/* Of a call that puts something into a stream, in whose context it then is. */
#define ENTER_STREAM(handle)                      \
    ENTER(HEALTHY);                               \
    Stream *stream = stream_of(handle);           \
    REQUIRE(stream != NULL, INVALID_HANDLE);      \
    Context *context = stream->context;           \
    REQUIRE(context->error == SUCCESS, context->error)

/* Whether it is page-locked; only half of it is nothing that the driver takes. */
static CUresult look_at_host(const void *address, size_t bytes, int *locked) {
    *locked = range_that_holds(0, address, bytes) != NULL;
    return *locked || !touches_locked(address, bytes) ? SUCCESS : INVALID_VALUE;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, void *handle) {
    int locked;
    ENTER_STREAM(handle);
    REQUIRE(bytes > 0, SUCCESS);
    REQUIRE(look_at_host(from, bytes, &locked) == SUCCESS, INVALID_VALUE);
    void *snapshot = locked ? NULL : memcpy(make(1, bytes), from, bytes);
    return copy(stream, (Place){to, context->reach}, (Place){(uintptr_t)from, LOCKED_HOST}, bytes, snapshot);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, void *handle) {
    int locked;
    ENTER_STREAM(handle);
    REQUIRE(bytes > 0, SUCCESS);
    REQUIRE(look_at_host(to, bytes, &locked) == SUCCESS, INVALID_VALUE);
    copy(stream, (Place){(uintptr_t)to, locked ? LOCKED_HOST : 0}, (Place){from, context->reach}, bytes, NULL);
    if (!locked) await(stream, NULL);
    return context->error;
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void *handle) {
    ENTER_STREAM(handle);
    REQUIRE(bytes > 0, SUCCESS);
    return copy(stream, (Place){to, context->reach}, (Place){from, context->reach}, bytes, NULL);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, void *toContext, CUdeviceptr from, void *fromContext, size_t bytes,
                           void *handle) {
    ENTER_STREAM(handle);
    REQUIRE(is_context(toContext) && is_context(fromContext), INVALID_CONTEXT);
    REQUIRE(bytes > 0, SUCCESS);
    unsigned there = 1u << ((Context *)toContext - devices + 1), here = 1u << ((Context *)fromContext - devices + 1);
    return copy(stream, (Place){to, there}, (Place){from, here}, bytes, NULL);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, void *handle) {
    ENTER_STREAM(handle);
    REQUIRE(bytes > 0, SUCCESS);
    submit(stream, (Operation){.kind = FILL, .to = {to, context->reach}, .count = 1, .bytes = bytes, .fill = value});
    return SUCCESS;
}

/* ---- The driver: streams and events ------------------------------------------------------------------------------- */

CUresult cuStreamCreate(void **handle, unsigned flags) {
    pthread_t thread;
    ENTER(HEALTHY);
    REQUIRE(flags <= 1, INVALID_VALUE);
    Stream *stream = make(1, sizeof *stream);
    stream->context = current();
    if (pthread_create(&thread, NULL, run, stream) != 0) {
        free(stream);
        return OUT_OF_MEMORY;
    }
    pthread_detach(thread);
    stream->next = streams;
    streams = stream;
    *handle = stream;
    return SUCCESS;
}

CUresult cuStreamDestroy_v2(void *handle) {
    ENTER(CURRENT);
    Stream *stream = stream_of(handle);
    REQUIRE(stream != NULL, INVALID_HANDLE);
    if (stream->first != NULL && !stream->last->dropped) violate("stream %p destroyed with work left", handle);
    stream->closing = 1; /* its thread ends it when nothing is left, as the driver does */
    pthread_cond_broadcast(&changed);
    return stream->context->error;
}

CUresult cuStreamSynchronize(void *handle) {
    ENTER(CURRENT);
    Stream *stream = stream_of(handle);
    REQUIRE(stream != NULL, INVALID_HANDLE);
    Context *context = stream->context;
    REQUIRE(context->error == SUCCESS, context->error);
    await(stream, NULL);
    return context->error;
}

/* Not counted among the calls: what polls would make the number of a call a matter of luck. */
static CUresult query(void) { return strikes(&query_fault) ? query_fault.error : admit(CURRENT); }

CUresult cuStreamQuery(void *handle) {
    LOCKED;
    CUresult result = query();
    Stream *stream = stream_of(handle);
    if (result == SUCCESS && stream == NULL) result = INVALID_HANDLE;
    if (result == SUCCESS) result = stream->context->error;
    if (result == SUCCESS && stream->first != NULL) result = NOT_READY;
    return result;
}

CUresult cuStreamWaitEvent(void *handle, void *eventHandle, unsigned flags) {
    ENTER(CURRENT);
    Stream *stream = stream_of(handle);
    Event *event = event_of(eventHandle);
    REQUIRE(stream != NULL && event != NULL, INVALID_HANDLE);
    REQUIRE(flags <= 1, INVALID_VALUE);
    REQUIRE(stream->context->error == SUCCESS, stream->context->error);
    if (event->mark != NULL) submit(stream, (Operation){.kind = WAIT, .mark = event->mark});
    return SUCCESS;
}

CUresult cuEventCreate(void **handle, unsigned flags) {
    ENTER(HEALTHY);
    REQUIRE(flags <= 7, INVALID_VALUE);
    Event *event = make(1, sizeof *event);
    *event = (Event){.next = events, .context = current()};
    *handle = events = event;
    return SUCCESS;
}

CUresult cuEventRecord(void *eventHandle, void *handle) {
    ENTER(CURRENT);
    Stream *stream = stream_of(handle);
    Event *event = event_of(eventHandle);
    REQUIRE(stream != NULL && event != NULL && stream->context == event->context, INVALID_HANDLE);
    REQUIRE(stream->context->error == SUCCESS, stream->context->error);
    release(event->mark);
    event->mark = make(1, sizeof *event->mark);
    event->mark->references = 1;
    submit(stream, (Operation){.kind = MARK, .mark = event->mark});
    return SUCCESS;
}

CUresult cuEventQuery(void *handle) {
    LOCKED;
    CUresult result = query();
    Event *event = event_of(handle);
    if (result == SUCCESS && event == NULL) result = INVALID_HANDLE;
    if (result == SUCCESS) result = event->context->error;
    if (result == SUCCESS && event->mark != NULL && !event->mark->reached) result = NOT_READY;
    return result;
}

CUresult cuEventSynchronize(void *handle) {
    ENTER(CURRENT);
    Event *event = event_of(handle);
    REQUIRE(event != NULL, INVALID_HANDLE);
    Context *context = event->context;
    Mark *mark = event->mark;
    if (mark != NULL) {
        mark->references++;
        while (!mark->reached) pthread_cond_wait(&changed, &lock);
        release(mark);
    }
    return context->error;
}

CUresult cuEventDestroy_v2(void *handle) {
    ENTER(CURRENT);
    Event *event = event_of(handle);
    REQUIRE(event != NULL, INVALID_HANDLE);
    CUresult error = event->context->error;
    if (event->mark != NULL && !event->mark->reached)
        violate("event %p destroyed while it is recorded and not reached", handle);
    UNLINK(events, event);
    release(event->mark);
    free(event);
    return error;
}

/* ---- The driver: modules and kernels ------------------------------------------------------------------------------ */

CUresult cuModuleLoadData(void **handle, const void *image) {
    ENTER(HEALTHY);
    REQUIRE(image != NULL, INVALID_VALUE);
    REQUIRE(strstr(image, ".version") != NULL, INVALID_PTX);
    Module *module = make(1, sizeof *module);
    *module = (Module){.next = modules, .text = strdup(image)};
    *handle = modules = module;
    return SUCCESS;
}

CUresult cuModuleLoadDataEx(void **handle, const void *image, unsigned count, int *options, void **values) {
    (void)count, (void)options, (void)values; /* they say how to compile, and nothing is compiled here */
    return cuModuleLoadData(handle, image);
}

static Module *module_of(void *handle) {
    Module *module = modules;
    while (module != NULL && module != handle) module = module->next;
    return module;
}

CUresult cuModuleUnload(void *handle) {
    ENTER(CURRENT);
    Module *module = module_of(handle);
    REQUIRE(module != NULL, INVALID_HANDLE);
    UNLINK(modules, module);
    free(module->text);
    free(module);
    return current()->error;
}

static int has_entry(const char *text, const char *name) {
    static const char SPACE[] = " \t\r\n";
    size_t length = strlen(name);
    while ((text = strstr(text, ".entry")) != NULL) {
        text += strlen(".entry");
        const char *found = text + strspn(text, SPACE);
        if (found > text && strncmp(found, name, length) == 0 && found[length + strspn(found + length, SPACE)] == '(')
            return 1;
    }
    return 0;
}

CUresult cuModuleGetFunction(void **function, void *handle, const char *name) {
    ENTER(HEALTHY);
    Module *module = module_of(handle);
    REQUIRE(module != NULL, INVALID_HANDLE);
    REQUIRE(has_entry(module->text, name), NOT_FOUND);
    for (int i = 0; i < KERNEL_COUNT; i++) {
        if (strcmp(name, KERNELS[i].name) == 0) {
            module->grains[i] = KERNELS[i].grain;
            *function = &module->grains[i];
            return SUCCESS;
        }
    }
    return NOT_SUPPORTED; /* a kernel, but none that can be played here */
}

static uint32_t grain_of(const void *function) {
    for (Module *module = modules; module != NULL; module = module->next)
        for (int i = 0; i < KERNEL_COUNT; i++)
            if (function == &module->grains[i]) return module->grains[i];
    return 0;
}

CUresult cuLaunchKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, void *handle, void **parameters, void **extra) {
    ENTER_STREAM(handle);
    uint32_t grain = grain_of(function);
    REQUIRE(grain > 0 && context == current(), INVALID_HANDLE);
    REQUIRE(gridX > 0 && gridX <= INT32_MAX && gridY > 0 && gridY <= GRID_Y && gridZ == 1, INVALID_VALUE);
    REQUIRE(blockX > 0 && blockX <= THREADS_PER_BLOCK && blockY == 1 && blockZ == 1, INVALID_VALUE);
    REQUIRE(sharedBytes <= 48u << 10 && parameters != NULL && extra == NULL, INVALID_VALUE);
    for (int i = 0; i < PARAMETERS; i++) REQUIRE(parameters[i] != NULL, INVALID_VALUE);
    unsigned allowed = context->reach | LOCKED_HOST;
    submit(stream, (Operation){.kind = MOVE, .from = {*(uint64_t *)parameters[0], allowed}, .to = {0, allowed},
                               .count = gridX, .bytes = *(uint32_t *)parameters[1], .outer = *(uint32_t *)parameters[2],
                               .inner = *(uint32_t *)parameters[3], .row = *(uint32_t *)parameters[4], .grain = grain});
    return SUCCESS;
}

/* ---- What tests ask for ------------------------------------------------------------------------------------------- */

void kvbm_stand_in_fail_call(long n, int error) { LOCKED; call_fault = (Fault){n, (CUresult)error}; }
void kvbm_stand_in_fail_query(long n, int error) { LOCKED; query_fault = (Fault){n, (CUresult)error}; }
void kvbm_stand_in_fail_operation(long n, int error) { LOCKED; operation_fault = (Fault){n, (CUresult)error}; }
void kvbm_stand_in_delay(long micros) { LOCKED; delay_micros = micros; }
void kvbm_stand_in_hold(int on) { LOCKED; holding = on; pthread_cond_broadcast(&changed); }
long kvbm_stand_in_calls(void) { LOCKED; return call_count; }
long kvbm_stand_in_operations(void) { LOCKED; return operation_count; }
long kvbm_stand_in_violations(void) { LOCKED; return violation_count; }

/* The text of the last one, as it is now: the caller's thread keeps it until it asks again. */
const char *kvbm_stand_in_violation(void) {
    static __thread char text[sizeof last_violation];
    LOCKED;
    return memcpy(text, last_violation, sizeof text);
}

long kvbm_stand_in_live(void) {
    long live = 0;
    LOCKED;
    for (Range *range = ranges; range != NULL; range = range->next) live++;
    for (Stream *stream = streams; stream != NULL; stream = stream->next) live += !stream->closing;
    for (Event *event = events; event != NULL; event = event->next) live++;
    for (Module *module = modules; module != NULL; module = module->next) live++;
    for (int i = 0; i < device_count; i++) live += devices[i].retains;
    return live;
}

void kvbm_stand_in_reset(void) {
    LOCKED;
    call_fault = query_fault = operation_fault = (Fault){0, SUCCESS};
    delay_micros = violation_count = holding = 0;
    last_violation[0] = '\0';
    for (int i = 0; i < device_count; i++) devices[i].error = SUCCESS;
    pthread_cond_broadcast(&changed);
}
