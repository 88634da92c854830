import Foundation
import Runtime

/// A pipeline that the program brings along, known by its name.
package enum EmbeddedModel: String, Sendable, CaseIterable {
  /// CogVideoX with a Video-As-Prompt expert at miniature size (48x48 pixels, 17 frames), trained on the world of
  /// `vap data synthesize`.
  case mini

  /// Its directory in the published layout; throws `EmbeddedModelFailure` if the program stands without its resources.
  package var directory: String {
    get throws(EmbeddedModelFailure) {
      let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      let folder = program.deletingLastPathComponent()
      let places = [folder, folder.deletingLastPathComponent().appendingPathComponent("share/vap")].map {
        $0.appendingPathComponent("\(Self.resources)/\(rawValue)").path
      }
      guard let place = places.first(where: { FileManager.default.fileExists(atPath: "\($0)/model_index.json") })
      else { throw EmbeddedModelFailure(name: rawValue, resources: Self.resources, places: places) }
      return place
    }
  }

  /// The folder that the package's build puts beside the program.
  private static let resources = "vap_EmbeddedModels.resources"
}

/// A program that was moved without the pipelines that belong to it.
package struct EmbeddedModelFailure: Failure, Equatable {
  package let name: String
  package let resources: String
  package let places: [String]

  package var category: FailureCategory { .badInput }
  package var message: String {
    "the model '\(name)' is not at \(places.map { printable($0, limit: 1024) }.joined(separator: " or ")); copy the "
      + "folder \(resources) along with the program, or give --model the directory of a pipeline"
  }
}
