/// What happens in a clip of the miniature world: the semantic that a reference shows.
package enum MiniatureCondition: String, Sendable, CaseIterable {
  // Camera: the whole picture moves.
  case zoomIn = "zoom_in"
  case zoomOut = "zoom_out"
  case panLeft = "pan_left"
  case panRight = "pan_right"
  case tiltUp = "tilt_up"
  case roll
  // Motion: the subject moves over a still background.
  case rise, slide, grow, shrink
  case tipOver = "tip_over"
  case flatten
  // Style: the picture changes its look.
  case invert, mono, thermal, night, mosaic, dream
  // Concept: something happens to the subject.
  case gold, vanish, flood, halo, flames, spotlight
  // Never trained on, one of each category.
  case tiltDown = "tilt_down"
  case slideLeft = "slide_left"
  case sepia, ice

  package enum Category: String, Sendable, CaseIterable {
    case camera, motion, style, concept
  }

  package static let trained = allCases.filter(\.isTrained)
  package static let zeroShot = allCases.filter { !$0.isTrained }

  package var isTrained: Bool {
    switch self {
    case .tiltDown, .slideLeft, .sepia, .ice: false
    default: true
    }
  }

  package var category: Category {
    switch self {
    case .zoomIn, .zoomOut, .panLeft, .panRight, .tiltUp, .roll, .tiltDown: .camera
    case .rise, .slide, .grow, .shrink, .tipOver, .flatten, .slideLeft: .motion
    case .invert, .mono, .thermal, .night, .mosaic, .dream, .sepia: .style
    case .gold, .vanish, .flood, .halo, .flames, .spotlight, .ice: .concept
    }
  }

  /// What captions say of it, before a word for the speed.
  var sentence: String {
    switch self {
    case .zoomIn: "The camera zooms in"
    case .zoomOut: "The camera zooms out"
    case .panLeft: "The camera pans left"
    case .panRight: "The camera pans right"
    case .tiltUp: "The camera tilts up"
    case .tiltDown: "The camera tilts down"
    case .roll: "The camera rolls"
    case .rise: "It rises"
    case .slide: "It slides right"
    case .slideLeft: "It slides left"
    case .grow: "It grows"
    case .shrink: "It shrinks"
    case .tipOver: "It tips over"
    case .flatten: "It flattens"
    case .invert: "Its colours invert"
    case .mono: "It turns black and white"
    case .thermal: "It turns thermal"
    case .night: "Night falls"
    case .mosaic: "It turns into mosaic"
    case .dream: "It blurs into dream"
    case .sepia: "It turns sepia"
    case .gold: "It turns into gold"
    case .vanish: "It vanishes"
    case .flood: "Water floods"
    case .halo: "A halo spreads"
    case .flames: "It bursts into flames"
    case .spotlight: "A spotlight closes in"
    case .ice: "It turns into ice"
    }
  }
}

/// How a condition unfolds over a clip.
package struct MiniatureTiming: Sendable, Hashable {
  /// Progress per clip, over 0.8: 0.6...1.4 in the data.
  package let speed: Float
  /// When it begins, 0 for the first frame and 1 for the last: 0...0.3 in the data.
  package let onset: Float

  package init(speed: Float, onset: Float) {
    self.speed = speed
    self.onset = onset
  }

  /// Progress at a time, 0...1.3; 1 is the full effect.
  package func progress(at time: Float) -> Float { min(1.3, speed * max(0, time - onset) / 0.8) }

  /// The word that captions have for the speed.
  var word: String { speed < 0.87 ? "slowly" : speed < 1.13 ? "steadily" : "quickly" }
}
