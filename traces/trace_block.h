/* A block of events as columns (trace_block_encode.c) and back (trace_block_decode.c). Internal to
 * traces/trace_*.c.
 *
 * A block leans on earlier ones only through the births map (addresses of objects born before it)
 * and through sites and modules that they introduced. */
#ifndef ASSAY_TRACE_BLOCK_H
#define ASSAY_TRACE_BLOCK_H

#include "traces/core/bytes.h"
#include "traces/trace.h"
#include "traces/trace_format.h"

struct block_encoder;

struct block_encoder *block_encoder_create(uint32_t time_unit_ns, int level);
void block_encoder_free(struct block_encoder *encoder);
/* Encodes events[0..n), n <= TRACE_BLOCK_EVENTS, and the bytes of the sites stream. *ret_payload
 * belongs to the encoder and lives until the next call. Returns its size or ASSAY_E_MEMORY. */
long block_encode(struct block_encoder *encoder, const struct assay_event *events, size_t n,
                  const uint8_t *sites, size_t sites_bytes, const uint8_t **ret_payload);

struct block_decoder;

struct block_decoder *block_decoder_create(uint32_t time_unit_ns);
void block_decoder_free(struct block_decoder *decoder);
/* Forgets all earlier blocks. */
void block_decoder_reset(struct block_decoder *decoder);
/* Stored bytes of all blocks so far, by column, then heads, then sites: COLUMN_COUNT + 2 numbers.
 */
const uint64_t *block_decoder_column_bytes(const struct block_decoder *decoder);
/* Decodes exactly n events. *ret_sites (decoder's memory) is the sites stream. Returns 0,
 * ASSAY_E_FORMAT or ASSAY_E_MEMORY. */
int block_decode(struct block_decoder *decoder, const uint8_t *payload, size_t payload_bytes,
                 struct assay_event *events, size_t n, struct assay_bytes_in *ret_sites);

#endif
