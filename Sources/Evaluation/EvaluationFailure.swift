import Media
import Runtime

/// Why a clip cannot be scored.
package enum EvaluationFailure: Failure, Equatable {
  case tooFewFrames(metric: String, found: Int, least: Int)
  case tooSmall(metric: String, size: FrameSize, least: Int)
  case otherVocabulary(tokens: Int, expected: Int)
  case differentClips(metric: String, first: String, second: String)

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .tooFewFrames(let metric, let found, let least):
      "\(metric) needs a clip of at least \(least) frames; this one has \(found)"
    case .tooSmall(let metric, let size, let least):
      "\(metric) needs frames of more than \(least) pixels a side; these have \(size)"
    case .otherVocabulary(let tokens, let expected):
      "CLIP's table of merges gives \(tokens) tokens, but the model has \(expected); use the table that belongs to it"
    case .differentClips(let metric, let first, let second):
      "\(metric) compares clips of one size and length; these have \(first) and \(second)"
    }
  }
}
