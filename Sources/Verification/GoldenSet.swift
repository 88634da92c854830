import Checkpoints
import Compute
import Foundation
import Runtime
import Tensors

/// A directory of recorded results of the published implementation: `cases.json`, tensors, and a tiny checkpoint.
package struct GoldenSet: Sendable {
  package let directory: String
  package let cases: [GoldenCase]
  /// Whether the metrics of the evaluation were recorded, and not a pipeline.
  package let isEvaluation: Bool
  /// The whole of `cases.json`.
  let document: JSONValue

  /// Reads `cases.json`; tensors are opened when a case is run.
  package init(directory: String) throws {
    let path = "\(directory)/cases.json"
    let document = try ConfigFile(path: path, maximumByteCount: 64 << 20).contents
    let entries = Self.entries(document["cases"])
    guard !entries.isEmpty else {
      throw GoldenFailure(path: path, problem: "has no field 'cases' with the recorded cases")
    }
    self.directory = directory
    self.document = document
    // Only this set is about finished videos; its metrics are recorded in `cases.json` itself.
    let isEvaluation = document["videos"]?.object != nil
    self.isEvaluation = isEvaluation
    let recorded = try entries.map { name, info in
      let file = info["file"]?.string
      guard file?.contains("..") != true, file != nil || info["file"] == .null || isEvaluation else {
        throw GoldenFailure(path: path, problem: "case '\(printable(name))' does not name its file")
      }
      return GoldenCase(name: name, info: info, directory: directory, file: file)
    }
    let unlisted = (isEvaluation ? EvaluationCases.unlisted : [:]).filter { _, file in
      FileManager.default.fileExists(atPath: "\(directory)/\(file)")
    }.map { name, file in GoldenCase(name: name, info: .null, directory: directory, file: file) }
    cases = recorded + unlisted.sorted { $0.name < $1.name }
  }

  /// Cases are listed under their names, or in order and named by their files; one without a file by its first field.
  private static func entries(_ cases: JSONValue?) -> [(name: String, info: JSONValue)] {
    if let named = cases?.object { return named.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    return (cases?.array ?? []).map { info in
      let stem = info["file"]?.string?.split(separator: ".").first.map(String.init)
      return (stem ?? info.object?.keys.filter { $0 != "file" && $0 != "what" }.min() ?? "", info)
    }
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

/// One recorded case: its description, and a file with inputs and expected outputs.
package struct GoldenCase: Sendable {
  package let name: String
  package let info: JSONValue
  package let directory: String
  private let file: String?

  init(name: String, info: JSONValue, directory: String, file: String?) {
    self.name = name
    self.info = info
    self.directory = directory
    self.file = file
  }

  private func path() throws(GoldenFailure) -> String {
    guard let file else { throw failure("has no file") }
    let nested = "\(directory)/goldens/\(file)"
    return FileManager.default.fileExists(atPath: nested) ? nested : "\(directory)/\(file)"
  }

  package func openTensors() throws -> GoldenTensors { GoldenTensors(reader: try SafetensorsReader(path: path())) }

  /// The contents of a case that is recorded as text.
  package func openJSON() throws -> JSONValue {
    try ConfigFile(path: path(), maximumByteCount: 64 << 20).contents
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
