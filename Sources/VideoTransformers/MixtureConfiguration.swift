import Checkpoints

/// What the configurations of all transformers with a Mixture-of-Transformers expert have alike.
package protocol MixtureConfiguration: Sendable, Equatable {
  var headCount: Int { get }
  var headSize: Int { get }
  var inChannels: Int { get }
  var outChannels: Int { get }
  var layerCount: Int { get }
  /// Indices of the blocks that carry an expert; empty for a plain image-to-video model.
  var expertLayers: [Int] { get set }
}

extension MixtureConfiguration {
  /// D, the width of a token.
  package var hiddenSize: Int { headCount * headSize }
  package var hasExpert: Bool { !expertLayers.isEmpty }

  /// The same model without its expert.
  package var base: Self {
    var copy = self
    copy.expertLayers = []
    return copy
  }
}

extension InvalidField {
  /// Throws unless the list names blocks that exist, each at most once; any order is fine.
  static func check(_ field: String, expertLayers: [Int], layerCount: Int) throws(InvalidField) {
    var seen = Set<Int>()
    for layer in expertLayers {
      guard (0..<layerCount).contains(layer) else {
        throw InvalidField(field, "names block \(layer); there are blocks 0...\(layerCount - 1)")
      }
      guard seen.insert(layer).inserted else { throw InvalidField(field, "names block \(layer) twice") }
    }
  }
}
