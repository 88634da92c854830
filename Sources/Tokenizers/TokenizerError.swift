import Checkpoints
import Runtime

/// Why a tokenizer's files cannot be used.
package enum TokenizerError: Failure, Equatable {
  case otherFormat(path: String, ForeignFormat)
  case tooLarge(path: String, byteCount: Int, limit: Int)
  /// - Parameter offset: in bytes from the start of the file.
  case malformedModel(path: String, offset: Int, why: String)
  /// - Parameter line: counted from 1.
  case malformedTable(path: String, line: Int, why: String)
  case damagedArchive(path: String, why: String)
  /// The library's own words.
  case modelRefused(path: String, why: String)
  case encodingFailed(path: String, why: String)

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .otherFormat(let path, let format): "\(path): \(format.explanation)"
    case .tooLarge(let path, let count, let limit):
      "\(path): \(count) bytes are too many for a tokenizer model; at most \(limit)"
    case .malformedModel(let path, let offset, let why):
      "\(path): not a valid SentencePiece model: \(why) (byte \(offset)); download it again"
    case .malformedTable(let path, let line, let why):
      "\(path): not a table of merges: \(printable(why)) (line \(line)); download it again"
    case .damagedArchive(let path, let why):
      "\(path): the compressed file cannot be read: \(printable(why)); download it again"
    case .modelRefused(let path, let why):
      "\(path): not a usable SentencePiece model: \(printable(why)); download it again"
    case .encodingFailed(let path, let why): "\(path): the text cannot be encoded: \(printable(why))"
    }
  }
}
