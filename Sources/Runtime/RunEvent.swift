/// What a long run tells whoever watches it.
package enum RunEvent: Sendable, Equatable {
  /// A new stage began, for example "denoise", of `units` units of work (0 if unknown).
  case stage(String, units: Int)
  /// Units of the current stage done so far.
  case progress(Int)
  /// Where a stage stands, in words of its own; the last one of a stage is always shown.
  case status(String, isLast: Bool)
  /// Something that was done, worth a line.
  case note(String)
  /// Something the user should know that does not stop the run.
  case warning(String)
}

package typealias RunObserver = (RunEvent) -> Void

extension RunEvent {
  /// An observer that passes on what the user should know, and not where stages stand.
  package static func remarks(to observer: @escaping RunObserver) -> RunObserver {
    { event in
      switch event {
      case .note, .warning: observer(event)
      case .stage, .progress, .status: break
      }
    }
  }
}
