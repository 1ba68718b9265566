/* Every lock and every atomic of Bulwark. Nothing else in allocator/ may use __atomic or futex, so
 * that a checked build can replace this one header by a scheduling point.
 *
 * The lock is three-state (0 free, 1 held, 2 held with waiters) over a futex, plus BW_LOCK_FORK:
 * held by the thread that is inside fork(), which may still allocate (other libraries' fork
 * handlers do). While the process has one thread, lock and unlock are plain stores; both flavours
 * leave the same words behind, so a lock may be taken in one and released in the other. */
#ifndef BW_SYNC_H
#define BW_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define BW_SINGLE_THREADED (__libc_single_threaded)
#endif
#endif
#ifndef BW_SINGLE_THREADED
#define BW_SINGLE_THREADED 0
#endif

enum { BW_LOCK_FREE = 0, BW_LOCK_HELD = 1, BW_LOCK_WAITERS = 2, BW_LOCK_FORK = 3 };

struct bw_lock {
    uint32_t word;
};

void bw_lock_slow(struct bw_lock *lock);
void bw_unlock_slow(struct bw_lock *lock);

static inline void bw_lock(struct bw_lock *lock)
{
    if (BW_SINGLE_THREADED && lock->word == BW_LOCK_FREE) {
        lock->word = BW_LOCK_HELD;
        return;
    }
    uint32_t expected = BW_LOCK_FREE;
    if (__builtin_expect(!__atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_HELD, false,
                                                      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                         0))
        bw_lock_slow(lock);
}

static inline bool bw_trylock(struct bw_lock *lock)
{
    uint32_t expected = BW_LOCK_FREE;
    return __atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_HELD, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void bw_unlock(struct bw_lock *lock)
{
    if (BW_SINGLE_THREADED && lock->word == BW_LOCK_HELD) {
        lock->word = BW_LOCK_FREE;
        return;
    }
    uint32_t expected = BW_LOCK_HELD;
    if (__builtin_expect(!__atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_FREE, false,
                                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED),
                         0))
        bw_unlock_slow(lock);
}

/* Around fork(): take for good, then release in the parent or start afresh in the child. */
void bw_lock_for_fork(struct bw_lock *lock);
void bw_unlock_after_fork(struct bw_lock *lock);

static inline void bw_lock_init(struct bw_lock *lock)
{
    __atomic_store_n(&lock->word, BW_LOCK_FREE, __ATOMIC_RELEASE);
}

static inline void *bw_load_pointer(void *const *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void bw_store_pointer(void **to, void *value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static inline uint16_t bw_load_u16(const uint16_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void bw_store_u16(uint16_t *to, uint16_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* ThreadSanitizer does not know fences, and compilers say so. */
#if defined(__SANITIZE_THREAD__)
#define BW_HAS_FENCES 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BW_HAS_FENCES 0
#endif
#endif
#ifndef BW_HAS_FENCES
#define BW_HAS_FENCES 1
#endif

/* Between reading what another thread may be changing and asking whether it still counts: the
 * question is not put before the reading is done. */
static inline void bw_after_reading(void)
{
    if (BW_HAS_FENCES)
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* Between saying that something counts no more and changing it. */
static inline void bw_before_changing(void)
{
    if (BW_HAS_FENCES)
        __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Clears bits of a word that was just read as `seen`; returns what was there. Of two threads that
 * clear the same bit one finds it gone. Whoever sees what the caller writes next, sees them gone.
 */
static inline uint16_t bw_clear_u16(uint16_t *word, uint16_t seen, uint16_t bits)
{
    if (BW_SINGLE_THREADED) {
        *word = (uint16_t)(seen & ~bits);
        return seen;
    }
    uint16_t was = __atomic_exchange_n(word, (uint16_t)(seen & ~bits), __ATOMIC_ACQ_REL);
    bw_before_changing();
    return was;
}

static inline uint64_t bw_swap_u64(uint64_t *word, uint64_t value)
{
    return __atomic_exchange_n(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t bw_next_u64(uint64_t *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static inline size_t bw_load_size(const size_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void bw_store_size(size_t *to, size_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static inline uint32_t bw_load_u32(const uint32_t *from)
{
    return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void bw_store_u32(uint32_t *to, uint32_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

#endif
