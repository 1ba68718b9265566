/* Statistics of trials: intervals, when to stop, what collisions say of entropy.
 *
 * Two intervals, for two questions. Wilson's is what is reported of a rate when the trials are
 * over. The always-valid one decides when they are: it holds at every number of trials at once, so
 * that looking after each trial and stopping as soon as it answers costs no error. Pure functions.
 */
#ifndef ASSAY_SEQUENTIAL_H
#define ASSAY_SEQUENTIAL_H

#include <stdint.h>

struct assay_interval {
    double low, high;
};

/* Wilson's score interval of a rate; z = 1.96 for 95 %. [0, 1] for n = 0.
 * Source: Wilson, Journal of the American Statistical Association 22 (1927). */
struct assay_interval assay_wilson(uint64_t hits, uint64_t n, double z);

/* The rates p that the trials do not yet exclude: with probability 1 - alpha the true one is in
 * this interval for every n. It is where the likelihood ratio of Jeffreys' mixture (beta 1/2, 1/2)
 * against p stays below 1 / alpha, which by Ville's inequality it leaves with probability alpha.
 * Source: Robbins, Annals of Mathematical Statistics 41 (1970); Ville, Etude critique (1939). */
struct assay_interval assay_always_valid(uint64_t hits, uint64_t n, double alpha);

/* Where a rate lies against two borders. UNDECIDED: the trials do not tell yet. */
enum assay_decision { ASSAY_UNDECIDED, ASSAY_NEVER, ASSAY_SOMETIMES, ASSAY_ALWAYS };
/* NEVER: below low; ALWAYS: above high; SOMETIMES: between. Each is wrong with probability alpha at
 * most, however often one looks. */
enum assay_decision assay_decide(uint64_t hits, uint64_t n, double low, double high, double alpha);

/* Whether something happens about as often as something else did. ALWAYS: its rate is above floor;
 * NEVER: below wanted; a rate between the two may be called either. floor < wanted; the further
 * apart, the fewer trials. Each answer is wrong with probability alpha at most. */
enum assay_decision assay_decide_as_often(uint64_t hits, uint64_t n, double floor, double wanted,
                                          double alpha);

/* The same by Wald's test of the two rates alone, which takes the fewest trials for it: ALWAYS, of
 * a rate at floor or below, is said with probability alpha / (1 - beta) at most, NEVER, of one at
 * wanted or above, with beta / (1 - alpha). 0 < floor < wanted < 1.
 * Source: Wald, Annals of Mathematical Statistics 16 (1945). */
enum assay_decision assay_decide_wald(uint64_t hits, uint64_t n, double floor, double wanted,
                                      double alpha, double beta);

/* How many trials show what happens at this rate at least once, but for probability alpha; at most
 * `most`. */
unsigned assay_trials_to_see(double rate, double alpha, unsigned most);

/* What a sample of values says of the distribution they were drawn from. */
struct assay_collisions {
    uint64_t n, distinct;
    uint64_t most;  /* how often the most frequent value came */
    uint64_t pairs; /* of equal values */
};
/* Sorts values. */
struct assay_collisions assay_collisions(uint64_t *values, uint64_t n);
/* An upper bound, at confidence 1 - alpha, of the probability that two draws are equal. Without a
 * collision: the distribution that hides best is one heavy value of probability q beside very many
 * light ones, and (1 + nq) exp(-nq), the chance that it comes at most once, gives q. With
 * collisions: the U-statistic of equal pairs with the largest variance that its mean allows. 1 for
 * n < 2. */
double assay_collision_bound(const struct assay_collisions *collisions, double alpha);
/* A lower bound of the same, at confidence 1 - alpha, by Cantelli's inequality for the share of
 * equal pairs, with the largest variance that its mean allows; 0 without a collision. It assumes
 * nothing of the distribution, and gives some three bits away for that. */
double assay_collision_least(const struct assay_collisions *collisions, double alpha);
/* The same as bits: a lower bound of the collision entropy, which Shannon's is never below. */
double assay_entropy_bound(const struct assay_collisions *collisions, double alpha);

#endif
