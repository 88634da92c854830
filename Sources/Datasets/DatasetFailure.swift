import Runtime

/// What can be wrong with a manifest, its videos, or the rules for using them.
package enum DatasetFailure: Failure, Equatable {
  case noManifest(lookedFor: [String])
  /// `row` counts from 1, the header being row 1; nil for the whole file.
  case table(path: String, row: Int?, problem: String)
  case missingColumn(path: String, column: String, found: [String])
  case duplicateColumn(path: String, column: String)
  case tooManyBad(path: String, bad: BadItems, total: Int, limit: BadLimit)
  /// Nothing is left to train on.
  case nothingLeft(path: String, reasons: String)
  /// The manifest is not the one that a run began with.
  case changed(path: String, expected: String, found: String)
  case rules(String)
  /// A path that leaves the data folder, by `..`, as an absolute path or through a link.
  case outside(path: String, root: String)
  case shortClip(path: String, frames: Int)
  case folder(path: String, problem: String)

  package var category: FailureCategory {
    switch self {
    case .rules: .usage
    default: .badInput
    }
  }

  package var message: String {
    switch self {
    case .noManifest(let places):
      "no manifest: looked for \(places.map { printable($0, limit: 500) }.joined(separator: " and "))"
    case .table(let path, let row, let problem):
      "\(name(path))\(row.map { ", row \($0)" } ?? ""): \(problem)"
    case .missingColumn(let path, let column, let found):
      "\(name(path)): no column '\(column)'; its first row names "
        + found.prefix(20).map { "'\(printable($0, limit: 40))'" }.joined(separator: ", ")
    case .duplicateColumn(let path, let column): "\(name(path)): two columns are named '\(printable(column))'"
    case .tooManyBad(let path, let bad, let total, let limit):
      "\(name(path)): \(bad.count) of \(total) cannot be used, more than the \(limit) that 'max-bad' allows; \(bad.summary)"
    case .nothingLeft(let path, let reasons): "\(name(path)): no row is left to train on: \(reasons)"
    case .changed(let path, let expected, let found):
      "\(name(path)): the manifest was changed since the run began (its SHA-256 was \(expected.prefix(12))… and is "
        + "\(found.prefix(12))…); put the old one back or begin a new run"
    case .rules(let problem): problem
    case .outside(let path, let root):
      "\(name(path)): lies outside of the data folder \(name(root)); copy it there (links out of it are followed with "
        + "'follow-links')"
    case .shortClip(let path, let frames): "\(name(path)): has no more than \(frames) frames"
    case .folder(let path, let problem): "\(name(path)): \(problem)"
    }
  }

  private func name(_ path: String) -> String { printable(path, limit: 1000) }
}
