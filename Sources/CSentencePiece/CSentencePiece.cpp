#include "CSentencePiece.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

// Declared by the library's internal headers only, but exported.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

struct vap_sentencepiece {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

/// Runs `body`, which returns a Status; true if that is ok and nothing was thrown.
template <typename Body>
bool succeeds(char **error, Body body) {
  *error = nullptr;
  try {
    const sentencepiece::util::Status status = body();
    if (!status.ok()) *error = strdup(status.error_message());
    return status.ok();
  } catch (const std::exception &exception) {
    *error = strdup(exception.what());
  } catch (...) {
    // The library's trie throws types of its own.
    *error = strdup("the library gave up");
  }
  return false;
}

}  // namespace

vap_sentencepiece *vap_sentencepiece_load(const void *bytes, size_t count, char **error) {
  vap_sentencepiece *model = nullptr;
  const bool loaded = succeeds(error, [&] {
    // Errors are returned; what the library would print beside them is noise (levels: 0 info to 3 fatal).
    sentencepiece::logging::SetMinLogLevel(3);
    model = new vap_sentencepiece;
    return model->processor.LoadFromSerializedProto(std::string_view(static_cast<const char *>(bytes), count));
  });
  if (loaded) return model;
  delete model;
  return nullptr;
}

void vap_sentencepiece_free(vap_sentencepiece *model) { delete model; }

void vap_sentencepiece_free_text(char *text) { free(text); }

int32_t vap_sentencepiece_count(const vap_sentencepiece *model) { return model->processor.GetPieceSize(); }

int32_t vap_sentencepiece_unknown_id(const vap_sentencepiece *model) { return model->processor.unk_id(); }

int32_t vap_sentencepiece_id(const vap_sentencepiece *model, const char *piece, size_t count) {
  return model->processor.PieceToId(std::string_view(piece, count));
}

const char *vap_sentencepiece_piece(const vap_sentencepiece *model, int32_t id, size_t *count) {
  if (id < 0 || id >= model->processor.GetPieceSize()) return nullptr;
  const std::string &piece = model->processor.IdToPiece(id);
  *count = piece.size();
  return piece.data();
}

bool vap_sentencepiece_is_byte(const vap_sentencepiece *model, int32_t id) {
  return id >= 0 && id < model->processor.GetPieceSize() && model->processor.IsByte(id);
}

bool vap_sentencepiece_is_control(const vap_sentencepiece *model, int32_t id) {
  return id >= 0 && id < model->processor.GetPieceSize() && model->processor.IsControl(id);
}

bool vap_sentencepiece_encode(
    const vap_sentencepiece *model, const char *text, size_t count, vap_sentencepiece_visitor visit, void *context,
    char **error) {
  return succeeds(error, [&] {
    std::vector<std::string> pieces;
    const auto status = model->processor.Encode(std::string_view(text, count), &pieces);
    if (status.ok()) {
      for (const std::string &piece : pieces) visit(context, piece.data(), piece.size());
    }
    return status;
  });
}
