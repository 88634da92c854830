import Media
import Runtime

/// Why a clip cannot be scored.
package enum EvaluationFailure: Failure, Equatable {
  case tooFewFrames(metric: String, found: Int, least: Int)
  case tooSmall(metric: String, size: FrameSize, least: Int)
  case otherVocabulary(tokens: Int, expected: Int)
  case otherHead(path: String, inputs: Int, expected: Int)
  case ambiguousClip(row: Int, files: [String])
  case notThreePanels(path: String, size: FrameSize)
  case otherRun(path: String, difference: String)
  case noSamples(path: String)
  case otherBenchmarks(first: String, second: String)
  case differentClips(metric: String, first: String, second: String)
  case noTruth(path: String)
  case otherTruth(path: String)

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .tooFewFrames(let metric, let found, let least):
      "\(metric) needs a clip of at least \(least) frames; this one has \(found)"
    case .tooSmall(let metric, let size, let least):
      "\(metric) needs frames of more than \(least) pixels a side; these have \(size)"
    case .otherVocabulary(let tokens, let expected):
      "CLIP's table of merges gives \(tokens) tokens, but the model has \(expected); use the table that belongs to it"
    case .otherHead(let path, let inputs, let expected):
      "\(path): the head reads embeddings of \(inputs) values and the model makes \(expected); use ViT-L-14 with it"
    case .ambiguousClip(let row, let files):
      "row \(row) has \(files.count) videos: \(files.map { printable($0) }.joined(separator: ", ")); leave one"
    case .notThreePanels(let path, let size):
      "\(printable(path, limit: 1024)): frames of \(size) are not three panels of one width; leave --three-panels out"
    case .otherRun(let path, let difference):
      "\(printable(path, limit: 1024)): was begun with other settings (\(printable(difference, limit: 1024))); choose "
        + "another --out, or remove it to begin anew"
    case .noSamples(let path): "\(printable(path, limit: 1024)): no sample is left to evaluate"
    case .otherBenchmarks(let first, let second):
      "'\(printable(first))' and '\(printable(second))' were evaluated on different benchmark tables"
    case .differentClips(let metric, let first, let second):
      "\(metric) compares clips of one size and length; these have \(first) and \(second)"
    case .noTruth(let path):
      "\(printable(path, limit: 1024)): truth.csv does not say what it or its reference was rendered from"
    case .otherTruth(let path):
      "\(printable(path, limit: 1024)): is not what truth.csv says; make the data set anew with this edition of "
        + "`vap data synthesize`"
    }
  }
}
