/* Bounded streams stop at their ends; CRC-32C has its published values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/core/bytes.h"
#include "traces/core/hash.h"

static void varints_come_back(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    uint8_t buffer[80];
    struct assay_bytes_out out = {buffer, buffer + sizeof buffer, false};
    for (unsigned i = 0; i < 8; i++)
        assay_bytes_put_varint(&out, values[i]);
    assert_false(out.full);
    struct assay_bytes_in in = {buffer, out.at, false};
    for (unsigned i = 0; i < 8; i++) {
        assert_true(assay_bytes_get_varint(&in) == values[i]);
        assert_true(assay_unzigzag(assay_zigzag(values[i])) == values[i]);
    }
    assert_false(in.bad);
    assert_ptr_equal(in.at, in.end);
    assert_int_equal(assay_zigzag((uint64_t)-3), 5);
}

static void reading_past_the_end_is_remembered(void **state)
{
    (void)state;
    const uint8_t cut[] = {0x80, 0x80};
    struct assay_bytes_in in = {cut, cut + 2, false};
    assert_int_equal(assay_bytes_get_varint(&in), 0);
    assert_true(in.bad);
    const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    in = (struct assay_bytes_in){endless, endless + sizeof endless, false};
    assay_bytes_get_varint(&in);
    assert_true(in.bad);
    in = (struct assay_bytes_in){cut, cut + 2, false};
    assert_null(assay_bytes_take(&in, SIZE_MAX));
    assert_true(in.bad);
}

static void writing_past_the_end_is_remembered(void **state)
{
    (void)state;
    uint8_t buffer[5] = {0};
    struct assay_bytes_out out = {buffer, buffer + 4, false};
    assay_bytes_put_u32(&out, 0x04030201);
    assert_false(out.full);
    assay_bytes_put_u8(&out, 9);
    assert_true(out.full);
    assert_memory_equal(buffer, "\1\2\3\4\0", 5);
}

/* RFC 3720, appendix B.4, and the usual check value. */
static void crc32c_is_the_published_one(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(assay_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(assay_crc32c(assay_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(assay_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(assay_crc32c(0, bytes, 32), 0x62a8ab43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(reading_past_the_end_is_remembered),
        cmocka_unit_test(writing_past_the_end_is_remembered),
        cmocka_unit_test(crc32c_is_the_published_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
