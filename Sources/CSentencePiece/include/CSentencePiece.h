#ifndef VAP_CSENTENCEPIECE_H
#define VAP_CSENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A C face of the SentencePiece library. No exception leaves these functions. Where one takes `error`, it stores NULL
// there on success and otherwise a message that the caller frees with `vap_sentencepiece_free_text`.

typedef struct vap_sentencepiece vap_sentencepiece;

/// Loads a serialised ModelProto, which is copied. NULL on failure.
vap_sentencepiece *vap_sentencepiece_load(const void *bytes, size_t count, char **error);
void vap_sentencepiece_free(vap_sentencepiece *model);
void vap_sentencepiece_free_text(char *text);

int32_t vap_sentencepiece_count(const vap_sentencepiece *model);
/// The id of the piece that stands for unknown text.
int32_t vap_sentencepiece_unknown_id(const vap_sentencepiece *model);

/// The id of a piece; the id of the unknown piece if there is no such piece.
int32_t vap_sentencepiece_id(const vap_sentencepiece *model, const char *piece, size_t count);
/// The bytes of a piece, valid as long as the model; NULL if `id` is not below the count.
const char *vap_sentencepiece_piece(const vap_sentencepiece *model, int32_t id, size_t *count);
/// Whether the piece stands for a single byte of a character that has no piece.
bool vap_sentencepiece_is_byte(const vap_sentencepiece *model, int32_t id);
/// Whether the piece is a mark, as the end of a text, that is never found in text.
bool vap_sentencepiece_is_control(const vap_sentencepiece *model, int32_t id);

/// Receives one piece; the bytes are valid only during the call. Unknown text arrives as it is, after normalisation.
typedef void (*vap_sentencepiece_visitor)(void *context, const char *piece, size_t count);

/// Splits UTF-8 text into the most probable pieces and hands each to `visit`, in order. False on failure.
///
/// May be called from several threads at once.
bool vap_sentencepiece_encode(
    const vap_sentencepiece *model, const char *text, size_t count, vap_sentencepiece_visitor visit, void *context,
    char **error);

#ifdef __cplusplus
}
#endif

#endif
