import Foundation
import Runtime

/// The folder that a new pipeline is to lie in: all of the pipeline appears in it once it is complete.
struct PipelineOutput {
  let directory: String

  /// What makes a folder a pipeline.
  static let index = "model_index.json"
  /// Folders of components that packing does not change.
  static let plain = ["scheduler", "tokenizer", "text_encoder"]
  /// Folders of all components.
  static let components = plain + ["vae", "transformer"]
  /// All that a pipeline holds, in the order that it appears in.
  private static let names = components + [PipelineAdvice.fileName, index]

  /// Throws if any of a pipeline lies there already, or if the pipeline would lie in what it is made of or around it.
  ///
  /// - Parameter inputs: folders that it is made of.
  func check(apartFrom inputs: [String] = []) throws(BackboneFailure) {
    let places = ([directory] + Self.names.map { "\(directory)/\($0)" }).map(Folder.resolved)
    for input in inputs {
      let input = (given: input, place: Folder.resolved(input))
      if places.contains(where: { Self.holds($0, input.place) || Self.holds(input.place, $0) }) {
        throw .output(
          path: directory,
          problem: "the pipeline would lie in its own input \(printable(input.given, limit: 1024)), or around it; "
            + "choose another folder")
      }
    }
    if Folder.hasEntry(at: "\(directory)/\(Self.index)") {
      throw .output(path: directory, problem: "holds a pipeline already; choose another folder")
    }
    if let name = Self.names.first(where: { Folder.hasEntry(at: "\(directory)/\($0)") }) {
      throw .output(path: directory, problem: "holds '\(name)' already; choose another folder")
    }
  }

  /// Has a pipeline written into a temporary folder, from which it is moved; nothing of it stays if that fails.
  func write<Result>(_ body: (_ temporary: String) throws -> Result) throws -> Result {
    try Folder.fill(directory, with: Self.names, body)
  }

  /// Whether `inner` is `outer` or lies in it; both without links.
  private static func holds(_ outer: String, _ inner: String) -> Bool {
    inner == outer || inner.hasPrefix(outer.hasSuffix("/") ? outer : outer + "/")
  }
}
