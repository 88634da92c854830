import Compute
import Runtime
import Tensors

/// A part of a model that is paged in as a whole (and, in training, recomputed as a whole): usually one block.
package struct Segment<Body: Sendable>: Sendable {
  package let body: Body
  /// The parameters created while the body was built.
  package let parameters: [Parameter]

  package init(_ scope: ParameterScope, _ build: (ParameterScope) throws -> Body) rethrows {
    let before = scope.parameters.count
    body = try build(scope)
    parameters = Array(scope.parameters.dropFirst(before))
  }

  func advise(_ advice: MappedFile.Advice) {
    for parameter in parameters { parameter.tensor.storage.advise(advice) }
  }
}

/// How a model is run: paging of its weights, and hooks to watch it.
package struct RunContext: Sendable {
  /// What happens to a segment's weights after its turn.
  package enum Paging: Sendable {
    /// They stay in memory if they fit.
    case keep
    /// They may leave memory at once: for models larger than the memory budget.
    case release
  }

  package let paging: Paging
  /// Whether segments keep only their inputs for a backward pass, which then runs each segment again.
  package let recomputesSegments: Bool
  private let observer: (@Sendable (String, Tensor) -> Void)?

  /// - Parameter observer: called with intermediate tensors under stable names, to compare layer by layer.
  package init(
    paging: Paging = .keep, recomputesSegments: Bool = false,
    observer: (@Sendable (String, Tensor) -> Void)? = nil
  ) {
    self.paging = paging
    self.recomputesSegments = recomputesSegments
    self.observer = observer
  }

  /// The same context with `name` and a dot before the names of what it shows.
  package func scoped(_ name: String) -> RunContext {
    guard let observer else { return self }
    return RunContext(paging: paging, recomputesSegments: recomputesSegments) { observer("\(name).\($0)", $1) }
  }

  /// Whether intermediate results are watched; work that has no reader is then done all the same.
  package var isObserved: Bool { observer != nil }

  /// Shows an intermediate tensor to the observer, if there is one.
  package func probe(_ name: @autoclosure () -> String, _ tensor: @autoclosure () -> Tensor) {
    if let observer { observer(name(), tensor()) }
  }

  /// Runs segments in order, each on the result of the one before, reading ahead the weights of the next.
  ///
  /// Throws `Interrupted` between segments when the user asked to stop.
  package func run<Body, State>(
    _ segments: [Segment<Body>], on state: State, _ step: (Int, Body, State) throws -> State
  ) throws -> State {
    var state = state
    for (index, segment) in segments.enumerated() {
      try Interruption.check()
      if paging == .release, index + 1 < segments.count { segments[index + 1].advise(.willNeed) }
      state = try step(index, segment.body, state)
      if paging == .release { segment.advise(.notNeeded) }
    }
    return state
  }

  /// `run` for models that are trained: where the context says so, a segment's intermediate tensors are not kept, and a
  /// backward pass runs it again. Throws `Interrupted` then too.
  ///
  /// - Parameter step: must give the same result each time it is called with the same arguments.
  package func runRecomputably<Body, State: TensorGroup>(
    _ segments: [Segment<Body>], on state: State, _ step: @escaping @Sendable (Int, Body, State) throws -> State
  ) throws -> State {
    guard recomputesSegments else { return try run(segments, on: state, step) }
    return try run(segments, on: state) { index, body, state in
      try recomputed(state) { state in
        try Interruption.check()
        return try step(index, body, state)
      }
    }
  }
}
