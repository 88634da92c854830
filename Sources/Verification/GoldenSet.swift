import Checkpoints
import Compute
import Foundation
import Runtime
import Tensors

/// A directory of recorded results of the published implementation: `cases.json`, tensors, and a tiny checkpoint.
package struct GoldenSet: Sendable {
  /// What was recorded.
  package enum Subject: Sendable {
    /// A generation pipeline, part by part.
    case pipeline
    /// The metrics of the evaluation and their networks.
    case evaluation
  }

  package let directory: String
  package let subject: Subject
  package let cases: [GoldenCase]
  /// The whole of `cases.json`.
  let document: JSONValue

  /// Reads `cases.json`; tensors are opened when a case is run.
  package init(directory: String) throws {
    let path = "\(directory)/cases.json"
    let document = try ConfigFile(path: path, maximumByteCount: 64 << 20).contents
    guard let entries = document["cases"]?.object, !entries.isEmpty else {
      throw GoldenFailure(path: path, problem: "has no field 'cases' with the recorded cases")
    }
    self.directory = directory
    self.document = document
    // Only this set is about finished videos.
    subject = document["videos"]?.object == nil ? .pipeline : .evaluation
    let isEvaluation = subject == .evaluation
    let recorded = try entries.map { name, info in
      let file = info["file"]?.string
      guard isEvaluation || file != nil, file?.contains("..") != true else {
        throw GoldenFailure(path: path, problem: "case '\(printable(name))' does not name its file")
      }
      return GoldenCase(name: name, info: info, directory: directory, file: file)
    }
    // The evaluation's networks and weight files are recorded in files that `cases.json` does not list as cases.
    let networks =
      isEvaluation
      ? EvaluationCases.networks.map { name, file in
        GoldenCase(name: name, info: .null, directory: directory, file: file)
      } : []
    cases = (recorded + networks).sorted { $0.name < $1.name }
  }

  /// Where a published pipeline directory with the set's weights lies.
  package var checkpoint: String { "\(directory)/checkpoint" }

  package func golden(_ name: String) throws -> GoldenCase {
    guard let found = cases.first(where: { $0.name == name }) else {
      throw GoldenFailure(path: "\(directory)/cases.json", problem: "has no case '\(name)', which another case needs")
    }
    return found
  }
}

/// One recorded case: its description, and where it has one a file with inputs and expected outputs.
package struct GoldenCase: Sendable {
  package let name: String
  package let info: JSONValue
  package let directory: String
  private let path: String?

  init(name: String, info: JSONValue, directory: String, file: String?) {
    self.name = name
    self.info = info
    self.directory = directory
    path = file.map { file in
      let nested = "\(directory)/goldens/\(file)"
      return FileManager.default.fileExists(atPath: nested) ? nested : "\(directory)/\(file)"
    }
  }

  package func openTensors() throws -> GoldenTensors {
    guard let path else { throw failure("has no tensors") }
    return GoldenTensors(reader: try SafetensorsReader(path: path))
  }

  package func failure(_ problem: String) -> GoldenFailure {
    GoldenFailure(path: "\(directory)/cases.json", problem: "case '\(name)' \(problem)")
  }
}

/// The tensors of a case by name.
package struct GoldenTensors: Sendable {
  private let reader: SafetensorsReader

  init(reader: SafetensorsReader) { self.reader = reader }

  package var names: [String] { reader.names }

  package func contains(_ name: String) -> Bool { reader.contains(name) }

  /// A tensor that the case must hold.
  package subscript(name: String) -> Tensor {
    get throws { try reader.tensor(named: name) }
  }

  /// A tensor that the case may hold.
  package func optional(_ name: String) throws -> Tensor? {
    reader.contains(name) ? try reader.tensor(named: name) : nil
  }

  /// The numbers k of tensors named `prefix` + k, ascending, whatever the number of digits.
  package func indices(of prefix: String) -> [(index: Int, name: String)] {
    names.compactMap { name in
      guard name.hasPrefix(prefix), let index = Int(name.dropFirst(prefix.count)) else { return nil }
      return (index, name)
    }.sorted { $0.index < $1.index }
  }
}

/// A golden directory that is not of the expected form.
package struct GoldenFailure: Failure, Equatable {
  package let path: String
  package let problem: String
  package var category: FailureCategory { .badInput }
  package var message: String { "\(path) \(problem)" }
}
