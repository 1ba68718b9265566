#include "oracles/crash_site.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/neighbourhood.h"
#include "traces/core/printable.h"

enum weight { WEIGHT_STOP, WEIGHT_FAULT, WEIGHT_CONTROL };
enum { NEAR_NULL = 1 << 16, STACK_REACH = 1 << 16, LINES_BEFORE = 6, SMALL = 1 << 16 };

static const struct {
    const char *name, *words;
    enum weight weight;
} classes[ASSAY_CRASH_CLASS_COUNT] = {
    {"", "", WEIGHT_STOP},
#define ASSAY_CRASH_CLASS(NAME, name, words, weight) {name, words, WEIGHT_##weight},
#include "oracles/crash_classes.def"
#undef ASSAY_CRASH_CLASS
};

const char *assay_crash_class_name(unsigned crash_class)
{
    return crash_class < ASSAY_CRASH_CLASS_COUNT ? classes[crash_class].name : "";
}

const char *assay_crash_class_words(unsigned crash_class)
{
    return crash_class < ASSAY_CRASH_CLASS_COUNT ? classes[crash_class].words : "";
}

const char *assay_crash_class_weight(unsigned crash_class)
{
    static const char *const names[] = {"stopped itself", "faulted", "control"};
    return names[crash_class < ASSAY_CRASH_CLASS_COUNT ? classes[crash_class].weight : WEIGHT_STOP];
}

/* ---- class ---- */

static bool canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static uint8_t access_of(const struct assay_crash_capture *capture,
                         const struct assay_memory_operand *operand)
{
    if (capture->access != ASSAY_ACCESS_UNKNOWN)
        return capture->access;
    if (!operand->present)
        return ASSAY_ACCESS_UNKNOWN;
    return operand->writes ? ASSAY_ACCESS_WRITE : ASSAY_ACCESS_READ;
}

static enum assay_crash_class class_of_fault(const struct assay_crash_capture *capture,
                                             const struct assay_crash_site *site,
                                             enum assay_instruction_kind kind)
{
    uint64_t sp = capture->registers[ASSAY_REGISTER_SP];
    uint64_t pc = capture->registers[ASSAY_REGISTER_PC];
    bool writes = site->access == ASSAY_ACCESS_WRITE;
    if (!capture->fault_known && kind == ASSAY_INSTRUCTION_RETURN)
        return ASSAY_CRASH_RETURN_WILD;
    if (!capture->fault_known && kind == ASSAY_INSTRUCTION_JUMP && !site->operand.present)
        return ASSAY_CRASH_JUMP_WILD;
    if (!capture->fault_known)
        return writes ? ASSAY_CRASH_WRITE_NONCANONICAL : ASSAY_CRASH_READ_NONCANONICAL;
    if (site->access == ASSAY_ACCESS_EXECUTE || capture->fault == pc)
        return capture->fault < NEAR_NULL ? ASSAY_CRASH_JUMP_NEAR_NULL : ASSAY_CRASH_JUMP_WILD;
    if (capture->fault < NEAR_NULL)
        return writes ? ASSAY_CRASH_WRITE_NEAR_NULL : ASSAY_CRASH_READ_NEAR_NULL;
    if (capture->fault - sp + STACK_REACH < 2 * STACK_REACH)
        return ASSAY_CRASH_STACK_OVERFLOW;
    if (capture->mapped)
        return writes ? ASSAY_CRASH_WRITE_PROTECTED : ASSAY_CRASH_READ_PROTECTED;
    return writes ? ASSAY_CRASH_WRITE_WILD : ASSAY_CRASH_READ_WILD;
}

static enum assay_crash_class class_of(const struct assay_crash_capture *capture,
                                       const struct assay_crash_site *site,
                                       enum assay_instruction_kind kind)
{
    bool sent = capture->code <= 0; /* SI_USER, SI_TKILL, SI_QUEUE */
    if (sent && (capture->signal == SIGSEGV || capture->signal == SIGBUS))
        return ASSAY_CRASH_SENT;
    switch (capture->signal) {
    case SIGABRT: return ASSAY_CRASH_ABORT;
    case SIGTRAP: return ASSAY_CRASH_TRAP;
    case SIGILL:
        return kind == ASSAY_INSTRUCTION_TRAP ? ASSAY_CRASH_TRAP : ASSAY_CRASH_BAD_INSTRUCTION;
    case SIGFPE: return ASSAY_CRASH_ARITHMETIC;
    case SIGBUS: return ASSAY_CRASH_BUS;
    case SIGSYS: return ASSAY_CRASH_SYSTEM_CALL;
    case SIGSEGV: return class_of_fault(capture, site, kind);
    default: return ASSAY_CRASH_UNEXPLAINED;
    }
}

/* ---- which function ---- */

/* A subject's own way to stop is the same for all that it notices: its caller is who noticed. */
static bool only_stops(const char *symbol)
{
    static const char *const words[] = {"abort", "fatal", "panic", "die", "crash", "trap"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        for (const char *at = symbol; (at = strcasestr(at, words[i])); at++) {
            bool starts = at == symbol || !isalpha((unsigned char)at[-1]) ||
                          (islower((unsigned char)at[-1]) && isupper((unsigned char)at[0]));
            if (starts && !islower((unsigned char)at[length]))
                return true;
        }
    }
    return false;
}

static void name_function(struct assay_crash_site *site)
{
    unsigned first = 0;
    /* what the C library does on the way from abort to the signal */
    for (unsigned i = 0; i < site->frame_count && site->crash_class == ASSAY_CRASH_ABORT; i++)
        if (strcmp(site->frames[i].symbol, "abort") == 0)
            first = i + 1;
    site->top = site->frame_count;
    for (unsigned i = first; i < site->frame_count; i++) {
        const struct assay_frame *frame = &site->frames[i];
        if (!frame->subject)
            continue;
        if (site->top == site->frame_count)
            site->top = i;
        if (!only_stops(frame->symbol)) {
            site->top = i;
            break;
        }
    }
    if (site->top < site->frame_count)
        snprintf(site->function, sizeof site->function, "%.*s", (int)sizeof site->function - 1,
                 site->frames[site->top].symbol);
}

/* ---- code ---- */

/* Keeps the last instructions before the fault, then it, then what follows. False: enough. */
static bool take_line(struct assay_crash_site *site, const struct assay_instruction *line,
                      uint64_t fault)
{
    if (line->address < fault && site->line_count == LINES_BEFORE) {
        memmove(site->lines, site->lines + 1, (LINES_BEFORE - 1) * sizeof *site->lines);
        site->line_count--;
    }
    if (line->address == fault)
        site->line_at = site->line_count;
    site->lines[site->line_count++] = *line;
    return site->line_count < ASSAY_SITE_LINES_MAX;
}

/* The window around the fault. Decoding starts at the function, so that it is in step there. */
static void take_window(struct assay_crash_site *site, const struct assay_code *code)
{
    enum { BATCH = 128 };
    struct assay_instruction batch[BATCH];
    uint64_t fault = code->offset + code->at;
    bool more = true, met = false;
    size_t n;
    for (size_t at = 0; more && at < code->count;
         at = (size_t)(batch[n - 1].address - code->offset) + batch[n - 1].bytes) {
        n = assay_disassemble(code->bytes + at, code->count - at, code->offset + at, batch, BATCH);
        for (size_t i = 0; i < n && more; i++) {
            met |= batch[i].address == fault;
            more = (met || batch[i].address < fault) && take_line(site, &batch[i], fault);
        }
        if (n == 0)
            break;
    }
    if (!met)
        site->line_count = 0;
}

/* ---- values ---- */

static bool in_words(const struct assay_model *model, const char *name, uint64_t value,
                     struct assay_site_value *ret)
{
    int64_t offset = 0;
    *ret = (struct assay_site_value){.name = name, .offset = (int64_t)value};
    if (value < SMALL)
        return true;
    uint32_t number = model ? assay_neighbourhood_find(model, value, &offset) : 0;
    if (number == 0)
        return false;
    ret->object = number;
    ret->offset = offset;
    ret->state = model->objects[number].state;
    ret->requested = model->objects[number].requested;
    return true;
}

static void take_values(struct assay_crash_site *site, const struct assay_crash_capture *capture,
                        const struct assay_model *model)
{
    for (unsigned i = 0; i < ASSAY_REGISTER_PC && site->value_count < ASSAY_SITE_VALUES_MAX; i++)
        if (i != ASSAY_REGISTER_SP &&
            in_words(model, assay_register_name(i), capture->registers[i],
                     &site->values[site->value_count]) &&
            (site->values[site->value_count].object || capture->registers[i] == 0))
            site->value_count++;
    if (!site->fault_known)
        return;
    site->resolved = in_words(model, "fault", site->fault, &site->target);
    if (site->resolved)
        return;
    if (capture->mapped)
        snprintf(site->place, sizeof site->place, "mapped %.4s, near no object of the program",
                 capture->rights);
    else
        snprintf(site->place, sizeof site->place, "%s, near no object of the program",
                 canonical(site->fault) ? "not mapped" : "no address of this machine");
}

static void take_said(struct assay_crash_site *site, const char *said)
{
    size_t i = 0;
    for (; said && said[i] && said[i] != '\n' && i < sizeof site->said - 1; i++)
        site->said[i] = said[i] >= ' ' && said[i] <= '~' ? said[i] : '?';
    site->said[i] = '\0';
}

/* Of a private copy: its bounds are checked here once and hold. */
static void look(const struct assay_crash_end *end, const struct assay_crash_capture *capture,
                 const struct assay_model *model, struct assay_crash_site *site)
{
    struct assay_code code;
    const struct assay_symbolize stack = {.maps = capture->maps,
                                          .maps_bytes = capture->maps_bytes,
                                          .registers = capture->registers,
                                          .register_count = ASSAY_REGISTERS,
                                          .sp = ASSAY_REGISTER_SP,
                                          .stack = capture->stack,
                                          .stack_bytes = capture->stack_bytes,
                                          .subject = end->subject,
                                          .last = "assay-runner", /* from there on it is ours */
                                          .names_only = end->name_only};
    enum assay_instruction_kind kind = ASSAY_INSTRUCTION_OTHER;
    site->frame_count = assay_symbolize_stack(&stack, site->frames, ASSAY_SITE_FRAMES_MAX, &code);
    if (code.bytes && capture->signal != SIGABRT) { /* abort's own code tells nothing */
        if (!end->name_only)
            take_window(site, &code);
        kind = assay_disassemble_operand(code.bytes + code.at, code.count - code.at,
                                         capture->registers, capture->fault_known, capture->fault,
                                         &site->operand);
    }
    free(code.bytes);
    if (capture->signal == SIGSEGV || capture->signal == SIGBUS)
        site->access = access_of(capture, &site->operand);
    else
        site->operand = (struct assay_memory_operand){0};
    site->crash_class = (uint8_t)class_of(capture, site, kind);
    site->fault_known = capture->fault_known;
    site->fault = capture->fault;
    if (!site->fault_known && site->operand.present && !site->operand.other_registers) {
        site->fault_known = true;
        site->fault = site->operand.address;
    }
    name_function(site);
    take_values(site, capture, model);
}

void assay_crash_site_find(const struct assay_crash_end *end, const struct assay_model *model,
                           struct assay_crash_site *ret_site)
{
    memset(ret_site, 0, sizeof *ret_site);
    ret_site->signal = (uint8_t)end->signal;
    ret_site->crash_class = end->exited ? ASSAY_CRASH_EXIT : ASSAY_CRASH_UNEXPLAINED;
    take_said(ret_site, end->said);
    struct assay_crash_capture *copy = end->capture && !end->exited ? malloc(sizeof *copy) : NULL;
    if (!copy)
        return;
    memcpy(copy, end->capture, sizeof *copy); /* a process that is left may write on */
    if (copy->maps_bytes > sizeof copy->maps)
        copy->maps_bytes = sizeof copy->maps;
    if (copy->stack_bytes > sizeof copy->stack)
        copy->stack_bytes = sizeof copy->stack;
    copy->signal = end->signal;
    copy->fault_known = copy->fault_known != 0;
    for (int i = 0; i < 4; i++)
        if (!strchr("rwxps-", copy->rights[i]) || copy->rights[i] == '\0')
            copy->rights[i] = '?';
    if (copy->access > ASSAY_ACCESS_EXECUTE)
        copy->access = ASSAY_ACCESS_UNKNOWN;
    look(end, copy, model, ret_site);
    free(copy);
}

/* As many mappings as the system grants, but for a few. */
static bool no_mappings(const struct assay_crash_capture *capture)
{
    enum { DEFAULT_MOST = 65530, A_FEW = 64 };
    unsigned most = DEFAULT_MOST;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file && fscanf(file, "%u", &most) != 1)
        most = DEFAULT_MOST;
    if (file)
        fclose(file);
    return capture && capture->mappings + A_FEW >= most;
}

void assay_crash_judge(const struct assay_crash_end *end, bool hung, struct assay_judge *judge)
{
    if (hung) {
        assay_judge_crash(judge, 0);
    } else if (end->exited) {
        assay_judge_crash(judge, SIGABRT); /* an allocator has no business to call exit */
    } else {
        if (no_mappings(end->capture))
            assay_judge_no_mappings(judge);
        if (end->capture && end->capture->beside)
            assay_judge_beside(judge, (uint16_t)end->capture->beside);
        assay_judge_crash(judge, end->signal);
    }
}

void assay_crash_site_name(const struct assay_crash_site *site, struct assay_violation *violation)
{
    bool crash =
        violation->relation == ASSAY_RELATION_CRASH || violation->relation == ASSAY_RELATION_ABORT;
    memset(violation->function, 0, sizeof violation->function);
    violation->crash_class = crash ? site->crash_class : ASSAY_CRASH_NONE;
    if (crash)
        memcpy(violation->function, site->function, sizeof violation->function - 1);
}

/* ---- words ---- */

static const char *access_words(unsigned access)
{
    static const char *const words[] = {"access", "READ", "WRITE", "JUMP"};
    return words[access <= ASSAY_ACCESS_EXECUTE ? access : 0];
}

static void value_words(char *text, size_t bytes, const struct assay_site_value *value)
{
    if (value->object == 0) {
        snprintf(text, bytes, value->offset ? "0x%" PRIx64 : "0", (uint64_t)value->offset);
        return;
    }
    bool inside =
        value->offset >= 0 && (uint64_t)value->offset < (value->requested ? value->requested : 1);
    snprintf(text, bytes, "object %" PRIu32 " %+" PRId64 " (%" PRIu64 " bytes, %s%s)",
             value->object, value->offset, value->requested, assay_object_state_name(value->state),
             inside              ? ""
             : value->offset < 0 ? "; before it"
                                 : "; behind its end");
}

static void print_frame(FILE *out, const struct assay_frame *frame)
{
    struct assay_printable module, source;
    if (frame->module[0] == '\0') {
        fputs("(no file)", out);
        return;
    }
    if (frame->symbol[0])
        fprintf(out, "%s+0x%" PRIx64, frame->symbol, frame->symbol_offset);
    else
        fputs("(no symbol)", out);
    if (frame->source[0])
        fprintf(out, " %s:%u", assay_printable(&source, frame->source), frame->line);
    fprintf(out, " (%s+0x%" PRIx64 ")", assay_printable(&module, frame->module), frame->offset);
}

static void print_operand(FILE *out, const struct assay_crash_site *site)
{
    char words[160];
    if (site->access == ASSAY_ACCESS_UNKNOWN && !site->operand.present)
        return;
    fprintf(out, "  %s", access_words(site->access));
    if (site->operand.present && site->operand.bytes && site->access != ASSAY_ACCESS_EXECUTE)
        fprintf(out, " of size %u", site->operand.bytes);
    if (site->operand.present && site->access != ASSAY_ACCESS_EXECUTE)
        fprintf(out, " through %s", site->operand.text);
    if (site->resolved) {
        value_words(words, sizeof words, &site->target);
        fprintf(out, ": %s%s", site->target.object ? "" : "address ", words);
    } else if (site->place[0]) {
        fprintf(out, ": %s", site->place);
    }
    fputc('\n', out);
}

static void print_window(FILE *out, const struct assay_crash_site *site)
{
    const struct assay_frame *frame = &site->frames[0];
    for (unsigned i = 0; i < site->line_count; i++) {
        const struct assay_instruction *line = &site->lines[i];
        fprintf(out, "  %s ", i == site->line_at ? "=>" : "  ");
        if (frame->symbol[0])
            fprintf(out, "<+%" PRIu64 ">", line->address - (frame->offset - frame->symbol_offset));
        else
            fprintf(out, "0x%" PRIx64, line->address);
        fprintf(out, "  %s\n", line->text);
    }
}

void assay_crash_site_text(FILE *out, const struct assay_crash_site *site)
{
    char words[160];
    struct assay_printable module;
    if (site->crash_class == ASSAY_CRASH_NONE)
        return;
    const char *name = sigabbrev_np(site->signal);
    fprintf(out, "crash: %s (%s), SIG%s", assay_crash_class_name(site->crash_class),
            assay_crash_class_words(site->crash_class), name ? name : "?");
    if (site->said[0])
        fprintf(out, ", saying '%s'", site->said);
    fputc('\n', out);
    print_operand(out, site);
    for (unsigned i = 0; i < site->frame_count; i++) {
        fprintf(out, "    #%u ", i);
        print_frame(out, &site->frames[i]);
        fputs(i == site->top ? "  <- named\n" : "\n", out);
    }
    if (site->frame_count && site->frames[0].build_id[0])
        fprintf(out, "  build-id of %s: %s\n", assay_printable(&module, site->frames[0].module),
                site->frames[0].build_id);
    print_window(out, site);
    for (unsigned i = 0; i < site->value_count; i++) {
        value_words(words, sizeof words, &site->values[i]);
        fprintf(out, "%s%s = %s", i == 0 ? "  registers: " : "; ", site->values[i].name, words);
    }
    if (site->value_count)
        fputc('\n', out);
}

/* ---- JSON ---- */

static json_t *frame_json(const struct assay_frame *frame)
{
    json_t *object = json_object();
    json_t *module = json_string(frame->module);
    int bad = json_object_set_new(object, "module", module ? module : json_string("?"));
    bad |= json_object_set_new(object, "build_id", json_string(frame->build_id));
    bad |= json_object_set_new(object, "offset", json_integer((json_int_t)frame->offset));
    if (frame->symbol[0]) {
        bad |= json_object_set_new(object, "function", json_string(frame->symbol));
        bad |= json_object_set_new(object, "function_offset",
                                   json_integer((json_int_t)frame->symbol_offset));
    }
    json_t *source = frame->source[0] ? json_string(frame->source) : NULL;
    if (source) { /* a name that is not UTF-8 is left out */
        bad |= json_object_set_new(object, "source", source);
        bad |= json_object_set_new(object, "line", json_integer(frame->line));
    }
    bad |= json_object_set_new(object, "subject", json_boolean(frame->subject));
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *target_json(const struct assay_crash_site *site)
{
    if (!site->resolved)
        return site->place[0] ? json_pack("{s:s}", "place", site->place) : json_null();
    if (site->target.object == 0)
        return json_pack("{s:I}", "address", (json_int_t)site->target.offset);
    return json_pack("{s:I, s:I, s:I, s:s}", "object", (json_int_t)site->target.object, "offset",
                     (json_int_t)site->target.offset, "size", (json_int_t)site->target.requested,
                     "state", assay_object_state_name(site->target.state));
}

json_t *assay_crash_site_json(const struct assay_crash_site *site)
{
    json_t *frames = json_array(), *code = json_array();
    int bad = !frames || !code;
    for (unsigned i = 0; i < site->frame_count; i++)
        bad |= json_array_append_new(frames, frame_json(&site->frames[i]));
    for (unsigned i = 0; i < site->line_count; i++)
        bad |= json_array_append_new(code, json_string(site->lines[i].text));
    const char *name = sigabbrev_np(site->signal);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:i, s:s?, s:s, s:o, s:o, s:o, s:s}", "class",
                  assay_crash_class_name(site->crash_class), "words",
                  assay_crash_class_words(site->crash_class), "weight",
                  assay_crash_class_weight(site->crash_class), "signal", (int)site->signal,
                  "signal_name", name, "access", access_words(site->access), "target",
                  target_json(site), "frames", frames, "code", code, "said", site->said);
    if (object && site->operand.present)
        bad |= json_object_set_new(object, "operand", json_string(site->operand.text)) |
               json_object_set_new(object, "bytes", json_integer(site->operand.bytes));
    if (object && site->line_count)
        bad |= json_object_set_new(object, "code_at", json_integer(site->line_at));
    if (object && site->top < site->frame_count)
        bad |= json_object_set_new(object, "frame", json_integer(site->top));
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}
