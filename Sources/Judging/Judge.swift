import Evaluation
import Foundation
import Runtime

/// Asks a judge for scores, one request at a time.
package struct Judge: Sendable {
  package let settings: JudgeSettings
  private let key: String?
  private let transport: any HTTPTransport
  private let cache: AnswerCache
  private let pauses: Pauses

  /// What came of one sample.
  package enum Verdict: Sendable, Equatable {
    case score(Int)
    /// A missing sample, never a score of 0.
    case missing(String)
  }

  /// How long to wait; tests wait less.
  package struct Pauses: Sendable {
    /// Seconds before the first repetition; doubled for each further one.
    package var first = 2.0
    package var longest = 120.0
    package var wait: @Sendable (Double) throws -> Void

    package init(first: Double = 2, wait: @escaping @Sendable (Double) throws -> Void = Pauses.sleep) {
      self.first = first
      self.wait = wait
    }

    /// Sleeps, and wakes up when the user wants to stop.
    package static let sleep: @Sendable (Double) throws -> Void = { seconds in
      let end = Date(timeIntervalSinceNow: seconds)
      while Date() < end {
        try Interruption.check()
        Thread.sleep(forTimeInterval: min(0.1, max(0, end.timeIntervalSinceNow)))
      }
    }
  }

  /// Answers without a usable score that are followed by another request.
  private static let mostRepetitions = 3
  /// Times that a request without an answer is sent again.
  private static let mostSendings = 6

  /// - Parameters:
  ///   - key: sent with each request and never written anywhere.
  ///   - directory: keeps requests and answers.
  package init(
    _ settings: JudgeSettings, key: String?, directory: String, transport: any HTTPTransport,
    pauses: Pauses = Pauses()
  ) throws {
    self.settings = settings
    self.key = key
    self.transport = transport
    self.pauses = pauses
    cache = try AnswerCache(directory: directory)
  }

  /// Asks about all samples.
  ///
  /// - Parameter question: makes a sample's question; what it throws of `Failure` makes the sample missing.
  /// - Returns: verdicts by row, and what they took.
  /// Throws `JudgeFailure.refused` if the service refuses everything, and `Interrupted`.
  func run(
    _ samples: [BenchmarkSample], observer: RunObserver, question: (BenchmarkSample) throws -> JudgeQuestion
  ) throws -> (verdicts: [Int: Verdict], usage: EvaluationResult.JudgeUsage) {
    var verdicts: [Int: Verdict] = [:]
    var tally = Tally()
    var pace = Pace(interval: 60 / settings.requestsPerMinute)
    observer(.stage("judge \(settings.name)", units: samples.count))
    for (index, sample) in samples.enumerated() {
      try Interruption.check()
      do {
        let question = try question(sample)
        verdicts[sample.row] = try ask(question, row: sample.row, &tally, &pace, observer)
      } catch let failure as any Failure where BenchmarkScoring.concernsSample(failure) && !failure.endsJudging {
        verdicts[sample.row] = .missing(failure.message)
      }
      observer(.progress(index + 1))
    }
    return (verdicts, usage(tally))
  }

  /// Counts over all answers of a run, those of earlier runs included.
  private struct Tally {
    var answers = 0
    var failedAnswers = 0
    var inputTokens = 0
    var outputTokens = 0
  }

  private func usage(_ tally: Tally) -> EvaluationResult.JudgeUsage {
    var cost: Double?
    if let input = settings.inputPrice, let output = settings.outputPrice {
      cost = (Double(tally.inputTokens) * input + Double(tally.outputTokens) * output) / 1e6
    }
    return EvaluationResult.JudgeUsage(
      judge: settings.name, answers: tally.answers, failedAnswers: tally.failedAnswers,
      inputTokens: tally.inputTokens, outputTokens: tally.outputTokens, dollars: cost)
  }

  /// Asks until an answer has a score; answers that are there already are taken.
  private func ask(
    _ question: JudgeQuestion, row: Int, _ tally: inout Tally, _ pace: inout Pace, _ observer: RunObserver
  ) throws -> Verdict {
    guard let target = settings.target(key: key) else { return .missing("the address of the judge is no URL") }
    let body = try settings.body(question)
    let digest = ContentDigest(
      ofParts: [settings.dialect.rawValue, target.url.absoluteString, ContentDigest.of(body).description]
    ).description
    var failure = ""
    for attempt in 0...Self.mostRepetitions {
      let entry: AnswerCache.Entry
      if let known = cache.entry(digest, attempt: attempt) {
        entry = known
      } else {
        if attempt == 0 { try cache.store(question, settings, row: row, digest) }
        let request = HTTPRequest(
          url: target.url,
          headers: target.headers.merging(
            ["Content-Type": "application/json", "Idempotency-Key": "\(digest)-\(attempt)"]) { $1 },
          body: body, timeout: settings.timeout)
        switch try send(request, &pace, observer) {
        case .answered(let response):
          entry = AnswerCache.Entry(
            row: row, status: response.status, body: redacted(String(decoding: response.body, as: UTF8.self)))
          try cache.store(entry, digest, attempt: attempt)
        case .lost(let reason): return .missing(redacted(reason))
        }
      }
      let reply = settings.reply(Data(entry.body.utf8))
      tally.answers += 1
      tally.inputTokens += reply.inputTokens
      tally.outputTokens += reply.outputTokens
      if let text = reply.text, let score = JudgeAnswer.score(in: text) { return .score(score) }
      tally.failedAnswers += 1
      failure = reply.text.map { "no score in '\($0)'" } ?? "not an answer of this interface: '\(entry.body)'"
    }
    return .missing("\(Self.mostRepetitions + 1) answers without a score; the last: \(printable(failure, limit: 200))")
  }

  private enum Sending {
    case answered(HTTPResponse)
    case lost(String)
  }

  /// Sends until there is an answer; waits longer each time, or as long as the service asks for.
  private func send(_ request: HTTPRequest, _ pace: inout Pace, _ observer: RunObserver) throws -> Sending {
    var pause = pauses.first
    var reason = ""
    for sending in 1...Self.mostSendings {
      try pauses.wait(pace.delay())
      pace.note()
      var asked: Double?
      do {
        let response = try transport.send(request)
        let text = redacted(String(decoding: response.body, as: UTF8.self))
        switch response.status {
        case 200..<300: return .answered(response)
        case 408, 425, 429, 500...:
          reason = "status \(response.status): \(printable(text, limit: 200))"
          asked = response.headers["retry-after"].flatMap(Double.init)
        case 400, 413, 415, 422:
          return .lost("the judge refuses the request with status \(response.status): \(printable(text, limit: 200))")
        default: throw JudgeFailure.refused(judge: settings.name, status: response.status, answer: text)
        }
      } catch let failure as TransportFailure {
        reason = failure.reason
      }
      guard sending < Self.mostSendings else { break }
      let wait = min(max(pause, asked ?? 0), pauses.longest)
      observer(.warning("judge \(settings.name): \(redacted(reason)); again in \(Int(wait.rounded(.up))) s"))
      try pauses.wait(wait)
      pause *= 2
    }
    return .lost("no answer after \(Self.mostSendings) requests; the last: \(reason)")
  }

  /// Text of a service, which may repeat the key that it was sent.
  private func redacted(_ text: String) -> String {
    guard let key, !key.isEmpty else { return text }
    return text.replacingOccurrences(of: key, with: "•••")
  }
}

/// Keeps requests apart.
private struct Pace {
  let interval: Double
  private var last: Date?

  init(interval: Double) { self.interval = interval }

  /// Seconds until the next request may go.
  func delay() -> Double { last.map { max(0, interval + $0.timeIntervalSinceNow) } ?? 0 }
  mutating func note() { last = Date() }
}

extension Failure {
  /// Whether no further sample can be judged either.
  fileprivate var endsJudging: Bool {
    if case .refused = self as? JudgeFailure { true } else { false }
  }
}
