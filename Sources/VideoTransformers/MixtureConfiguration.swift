import Checkpoints

/// What the configurations of all transformers with a Mixture-of-Transformers expert have alike.
package protocol MixtureConfiguration: Sendable, Equatable, ValidatedConfig {
  /// What the names of the published classes begin with.
  static var family: String { get }
  var headCount: Int { get }
  var headSize: Int { get }
  var inChannels: Int { get }
  var outChannels: Int { get }
  var layerCount: Int { get }
  /// Which blocks carry an expert, and how references are read.
  var references: ReferenceDesign { get set }
}

extension MixtureConfiguration {
  /// D, the width of a token.
  package var hiddenSize: Int { headCount * headSize }
  /// The published class of the transformer.
  package var className: String { "\(Self.family)Transformer3D\(hasExpert ? "MOT" : "")Model" }

  package var expertLayers: [Int] {
    get { references.expertLayers }
    set { references.expertLayers = newValue }
  }
  package var coupling: Coupling {
    get { references.coupling }
    set { references.coupling = newValue }
  }
  package var positionDesign: PositionDesign {
    get { references.positionDesign }
    set { references.positionDesign = newValue }
  }
  package var predictsReferences: Bool {
    get { references.predictsReferences }
    set { references.predictsReferences = newValue }
  }

  package var hasExpert: Bool { !expertLayers.isEmpty }
  /// Whether the model reads reference videos.
  package var readsReferences: Bool { hasExpert || coupling == .inContext }

  /// The same model without its expert.
  package var base: Self {
    var copy = self
    copy.expertLayers = []
    return copy
  }
}
