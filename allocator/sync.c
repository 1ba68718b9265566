/* The slow sides of bw_sync.h. */
#include "bw_sync.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "thread.h"

static void wait_while(uint32_t *word, uint32_t value)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = saved;
}

static void wake(uint32_t *word, int count)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved;
}

void bw_lock_slow(struct bw_lock *lock)
{
    for (int spin = 0; spin < 64; spin++) {
        uint32_t expected = BW_LOCK_FREE;
        if (__atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_HELD, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        if (expected == BW_LOCK_FORK) {
            if (bw_thread()->forking)
                return;
            wait_while(&lock->word, BW_LOCK_FORK);
        }
        if (expected == BW_LOCK_WAITERS)
            break;
    }
    for (;;) {
        uint32_t expected = BW_LOCK_FREE;
        if (__atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_WAITERS, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        if (expected == BW_LOCK_FORK) {
            if (bw_thread()->forking)
                return;
            wait_while(&lock->word, BW_LOCK_FORK);
            continue;
        }
        if (expected == BW_LOCK_HELD &&
            !__atomic_compare_exchange_n(&lock->word, &expected, BW_LOCK_WAITERS, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
        wait_while(&lock->word, BW_LOCK_WAITERS);
    }
}

void bw_unlock_slow(struct bw_lock *lock)
{
    uint32_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
    if (word == BW_LOCK_FORK)
        return; /* released by bw_unlock_after_fork */
    __atomic_store_n(&lock->word, BW_LOCK_FREE, __ATOMIC_RELEASE);
    wake(&lock->word, 1);
}

void bw_lock_for_fork(struct bw_lock *lock)
{
    bw_lock(lock);
    /* A waiter asleep on another value is woken when the lock is released: that wakes all. */
    __atomic_store_n(&lock->word, BW_LOCK_FORK, __ATOMIC_RELAXED);
}

void bw_unlock_after_fork(struct bw_lock *lock)
{
    __atomic_store_n(&lock->word, BW_LOCK_FREE, __ATOMIC_RELEASE);
    if (!BW_SINGLE_THREADED)
        wake(&lock->word, INT32_MAX);
}
