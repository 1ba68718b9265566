#include "oracles/sequential.h"

#include <math.h>
#include <stdlib.h>

enum { BISECTIONS = 60 };

struct assay_interval assay_wilson(uint64_t hits, uint64_t n, double z)
{
    if (n == 0)
        return (struct assay_interval){0, 1};
    double trials = (double)n, p = (double)hits / trials, z2 = z * z;
    double middle = (p + z2 / (2 * trials)) / (1 + z2 / trials);
    double half = z / (1 + z2 / trials) * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials));
    return (struct assay_interval){hits == 0 ? 0 : fmax(0, middle - half),
                                   hits == n ? 1 : fmin(1, middle + half)};
}

/* log of Jeffreys' mixture over the likelihood of p */
static double log_ratio(double hits, double misses, double p)
{
    double mixture =
        lgamma(hits + 0.5) + lgamma(misses + 0.5) - lgamma(hits + misses + 1) - 2 * lgamma(0.5);
    double likelihood = (hits > 0 ? hits * log(p) : 0) + (misses > 0 ? misses * log1p(-p) : 0);
    return mixture - likelihood;
}

struct assay_interval assay_always_valid(uint64_t hits, uint64_t n, double alpha)
{
    if (n == 0)
        return (struct assay_interval){0, 1};
    double h = (double)hits, m = (double)(n - hits), centre = h / (h + m);
    double limit = -log(alpha);
    struct assay_interval interval = {0, 1};
    double outside = 0, inside = centre;
    for (int i = 0; i < BISECTIONS && hits > 0; i++) {
        double p = (outside + inside) / 2;
        *(log_ratio(h, m, p) >= limit ? &outside : &inside) = p;
    }
    if (hits > 0)
        interval.low = outside;
    inside = centre;
    outside = 1;
    for (int i = 0; i < BISECTIONS && hits < n; i++) {
        double p = (outside + inside) / 2;
        *(log_ratio(h, m, p) >= limit ? &outside : &inside) = p;
    }
    if (hits < n)
        interval.high = outside;
    return interval;
}

enum assay_decision assay_decide(uint64_t hits, uint64_t n, double low, double high, double alpha)
{
    struct assay_interval valid = assay_always_valid(hits, n, alpha);
    if (valid.high < low)
        return ASSAY_NEVER;
    if (valid.low > high)
        return ASSAY_ALWAYS;
    return valid.low > low && valid.high < high ? ASSAY_SOMETIMES : ASSAY_UNDECIDED;
}

enum assay_decision assay_decide_as_often(uint64_t hits, uint64_t n, double floor, double wanted,
                                          double alpha)
{
    struct assay_interval valid = assay_always_valid(hits, n, alpha);
    return valid.low > floor ? ASSAY_ALWAYS : valid.high < wanted ? ASSAY_NEVER : ASSAY_UNDECIDED;
}

enum assay_decision assay_decide_wald(uint64_t hits, uint64_t n, double floor, double wanted,
                                      double alpha, double beta)
{
    double for_wanted =
        (double)hits * log(wanted / floor) + (double)(n - hits) * (log1p(-wanted) - log1p(-floor));
    return for_wanted >= log((1 - beta) / alpha)   ? ASSAY_ALWAYS
           : for_wanted <= log(beta / (1 - alpha)) ? ASSAY_NEVER
                                                   : ASSAY_UNDECIDED;
}

unsigned assay_trials_to_see(double rate, double alpha, unsigned most)
{
    if (rate >= 1)
        return 1;
    double trials = rate > 0 ? ceil(log(alpha) / log1p(-rate)) : most;
    return trials < 1 ? 1 : trials > most ? most : (unsigned)trials;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct assay_collisions assay_collisions(uint64_t *values, uint64_t n)
{
    struct assay_collisions collisions = {.n = n};
    if (n == 0)
        return collisions;
    qsort(values, n, sizeof *values, by_value);
    for (uint64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && values[to] == values[from];)
            to++;
        uint64_t times = to - from;
        collisions.distinct++;
        collisions.pairs += times * (times - 1) / 2;
        if (times > collisions.most)
            collisions.most = times;
    }
    return collisions;
}

/* The one-sided quantile of the normal distribution, by bisection of erfc. */
static double quantile(double alpha)
{
    double low = 0, high = 10;
    for (int i = 0; i < BISECTIONS; i++) {
        double z = (low + high) / 2;
        *(erfc(z / sqrt(2)) / 2 > alpha ? &low : &high) = z;
    }
    return low;
}

/* Of all pairs, those that are equal. */
static double share(const struct assay_collisions *collisions)
{
    double n = (double)collisions->n;
    return (double)collisions->pairs / (n * (n - 1) / 2);
}

/* Of that share, where its mean is known: the third moment is at most mean^1.5, of one heavy value.
 */
static double most_variance(double mean, double n)
{
    double triple = fmin(pow(mean, 1.5), mean);
    double variance =
        (2 * mean * (1 - mean) + 4 * (n - 2) * (triple - mean * mean)) / (n * (n - 1));
    return fmax(variance, 0);
}

double assay_collision_bound(const struct assay_collisions *collisions, double alpha)
{
    double n = (double)collisions->n;
    if (collisions->n < 2)
        return 1;
    double low = 0, high = 1;
    if (collisions->pairs == 0) {
        for (int i = 0; i < BISECTIONS; i++) {
            double q = (low + high) / 2;
            *((1 + n * q) * exp(-n * q) > alpha ? &low : &high) = q;
        }
        return high * high;
    }
    double seen = share(collisions), z = quantile(alpha);
    for (int i = 0; i < BISECTIONS; i++) {
        double mean = (low + high) / 2;
        *(mean - z * sqrt(most_variance(mean, n)) <= seen ? &low : &high) = mean;
    }
    return high;
}

double assay_collision_least(const struct assay_collisions *collisions, double alpha)
{
    double n = (double)collisions->n, seen = n < 2 ? 0 : share(collisions);
    double low = 0, high = seen;
    for (int i = 0; i < BISECTIONS; i++) {
        double mean = (low + high) / 2, beyond = seen - mean;
        double variance = most_variance(mean, n);
        *(variance <= alpha * (variance + beyond * beyond) ? &low : &high) = mean;
    }
    return low;
}

double assay_entropy_bound(const struct assay_collisions *collisions, double alpha)
{
    double bits = -log2(assay_collision_bound(collisions, alpha));
    return bits > 0 ? bits : 0;
}
