import Checkpoints
import Evaluation
import Foundation
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Judging

/// Answers as both interfaces give them.
enum Answers {
  static func openAI(_ text: String, tokens: Int = 10) -> String {
    let escaped = String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
    return """
      {"choices": [{"message": {"role": "assistant", "content": \(escaped)}}],
      "usage": {"prompt_tokens": \(tokens), "completion_tokens": 2}}
      """
  }

  static func gemini(_ text: String) -> String {
    let escaped = String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
    return """
      {"candidates": [{"content": {"parts": [{"text": "hm, {\\"score\\": 3}", "thought": true}, {"text": \(escaped)}]}}],
      "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}}
      """
  }
}

@Suite("Judge", .serialized)
struct JudgeTests {
  private static let key = "secret-key-0123456789"
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static func samples(_ count: Int) -> [BenchmarkSample] {
    (0..<count).map {
      BenchmarkSample(
        row: $0, targetPath: "", targetCaption: "", referencePath: "", referenceCaption: "", condition: "ghibli")
    }
  }

  private func run(
    _ server: LocalServer, _ dialect: JudgeSettings.Dialect = .openAI, samples: Int = 1, timeout: Double = 5,
    transport: (any HTTPTransport)? = nil, key: String? = Self.key, waits: Waits = Waits()
  ) throws -> (verdicts: [Int: Judge.Verdict], usage: EvaluationResult.JudgeUsage) {
    var settings = JudgeSettings(
      name: "test", dialect: dialect, address: "http://127.0.0.1:\(server.port)/v1", model: "model-1")
    settings.requestsPerMinute = 60_000
    settings.timeout = timeout
    settings.inputPrice = 1
    settings.outputPrice = 10
    let judge = try Judge(
      settings, key: key, directory: directory.file("answers"), transport: transport ?? SystemTransport(),
      pauses: Judge.Pauses(first: 2, wait: { waits.note($0) }))
    return try judge.run(
      Self.samples(samples), observer: { _ in },
      question: { sample in
        JudgeQuestion(parts: [.text("row \(sample.row)"), .media(type: "image/png", data: Data([1, 2, 3]))])
      })
  }

  /// Notes pauses in place of making them.
  final class Waits: Sendable {
    private let list = Mutex<[Double]>([])
    var long: [Double] { list.withLock { $0.filter { $0 >= 0.5 } } }
    func note(_ seconds: Double) { list.withLock { $0.append(seconds) } }
  }

  /// All files that the judge left.
  private func leftovers() throws -> String {
    let folder = directory.file("answers")
    return try FileManager.default.contentsOfDirectory(atPath: folder).map {
      try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)
    }.joined()
  }

  @Test("the dialect of OpenAI: path, key, text and pictures; score, tokens and cost")
  func openAI() throws {
    let server = try LocalServer { _, _ in
      .answer(status: 200, body: Answers.openAI("```json\n{\"score\": 87}\n```", tokens: 1000))
    }
    defer { server.stop() }
    let result = try run(server)
    #expect(result.verdicts == [0: .score(87)])
    let request = try #require(server.requests.first)
    #expect(request.path == "/v1/chat/completions" && request.headers["authorization"] == "Bearer \(Self.key)")
    #expect(request.headers["idempotency-key"]?.hasSuffix("-0") == true)
    let body = try #require(JSONValue(parsing: request.body))
    let parts = try #require(body["messages"]?.array?.first?["content"]?.array)
    #expect(body["model"]?.string == "model-1" && parts[0]["text"]?.string == "row 0")
    #expect(parts[1]["image_url"]?["url"]?.string == "data:image/png;base64,AQID")
    #expect(result.usage.inputTokens == 1000 && result.usage.outputTokens == 2)
    #expect(abs((result.usage.dollars ?? 0) - 0.00102) < 1e-12)
  }

  @Test("the dialect of Gemini: path, key and inline data; thoughts are counted and not read")
  func gemini() throws {
    let server = try LocalServer { _, _ in .answer(status: 200, body: Answers.gemini("{\"score\": 42}")) }
    defer { server.stop() }
    let result = try run(server, .gemini)
    #expect(result.verdicts == [0: .score(42)])
    let request = try #require(server.requests.first)
    #expect(request.path == "/v1/models/model-1:generateContent" && request.headers["x-goog-api-key"] == Self.key)
    let parts = JSONValue(parsing: request.body)?["contents"]?.array?.first?["parts"]?.array
    #expect(parts?[1]["inline_data"]?["data"]?.string == "AQID")
    #expect(result.usage.inputTokens == 100 && result.usage.outputTokens == 12)
  }

  @Test("a rerun asks nothing and gives the same; another model's or question's answers do not serve")
  func cached() throws {
    let server = try LocalServer { request, _ in
      .answer(status: 200, body: Answers.openAI("{\"score\": \(request.body.count % 90 + 1)}"))
    }
    defer { server.stop() }
    let first = try run(server, samples: 5)
    #expect(server.requests.count == 5)
    let second = try run(server, samples: 5)
    #expect(server.requests.count == 5 && first.verdicts == second.verdicts && first.usage == second.usage)
    _ = try run(server, .gemini, samples: 1)
    #expect(server.requests.count == 9)
  }

  @Test("answers without a score are asked for again three times; then the sample is missing, and a rerun is free")
  func failedAnswers() throws {
    let server = try LocalServer { _, count in
      .answer(
        status: 200, body: ["nothing", "{", Answers.openAI("{\"score\": 0}"), "{\"choices\": 3}"][count % 4])
    }
    defer { server.stop() }
    let result = try run(server)
    guard case .missing(let reason) = result.verdicts[0] else {
      Issue.record("\(result.verdicts)")
      return
    }
    #expect(reason.contains("4 answers without a score") && server.requests.count == 4)
    #expect(Set(server.requests.compactMap { $0.headers["idempotency-key"] }).count == 4)
    #expect(result.usage.failedAnswers == 4)
    #expect(try run(server).verdicts == result.verdicts)
    #expect(server.requests.count == 4)
  }

  @Test("a failed answer followed by a good one counts")
  func secondAnswer() throws {
    let server = try LocalServer { _, count in
      .answer(status: 200, body: Answers.openAI(count == 0 ? "{\"score\": \"87\"}" : "{\"score\": 64}"))
    }
    defer { server.stop() }
    let result = try run(server)
    #expect(result.verdicts == [0: .score(64)] && result.usage.answers == 2 && result.usage.failedAnswers == 1)
  }

  @Test("429 and 500 are waited for, longer each time and as long as the service asks")
  func backOff() throws {
    let waits = Waits()
    let server = try LocalServer { _, count in
      switch count {
      case 0: .answer(status: 429, headers: ["Retry-After": "30"], body: "{}")
      case 1: .answer(status: 500, body: "oops")
      case 2: .answer(status: 503, body: "")
      default: .answer(status: 200, body: Answers.openAI("{\"score\": 12}"))
      }
    }
    defer { server.stop() }
    #expect(try run(server, waits: waits).verdicts == [0: .score(12)])
    #expect(waits.long == [30, 4, 8])
    // The same request each time.
    #expect(Set(server.requests.compactMap { $0.headers["idempotency-key"] }).count == 1)
  }

  @Test("a service that never recovers makes the sample missing, and the next run asks again")
  func exhausted() throws {
    let isBroken = Mutex(true)
    let server = try LocalServer { _, _ in
      isBroken.withLock { $0 }
        ? .answer(status: 500, body: "down") : .answer(status: 200, body: Answers.openAI("{\"score\": 5}"))
    }
    defer { server.stop() }
    let result = try run(server, samples: 2)
    #expect(server.requests.count == 12)
    guard case .missing(let reason) = result.verdicts[1] else {
      Issue.record("\(result.verdicts)")
      return
    }
    #expect(reason.contains("no answer after 6 requests") && reason.contains("500"))
    isBroken.withLock { $0 = false }
    #expect(try run(server, samples: 2).verdicts == [0: .score(5), 1: .score(5)])
  }

  @Test("dropped, cut and slow connections are tried again")
  func brokenConnections() throws {
    let good = Answers.openAI("{\"score\": 33}")
    let server = try LocalServer { _, count in
      switch count {
      case 0: .drop
      case 1: .cut(body: good)
      case 2: .late(seconds: 3, body: good)
      default: .answer(status: 200, body: good)
      }
    }
    defer { server.stop() }
    #expect(try run(server, timeout: 1).verdicts == [0: .score(33)])
    #expect(server.requests.count == 4)
  }

  @Test("a wrong key ends the run at once; a request that is refused by itself makes its sample missing")
  func refusals() throws {
    let server = try LocalServer { request, _ in
      String(decoding: request.body, as: UTF8.self).contains("row 0")
        ? .answer(status: 400, body: "blocked for \(request.headers["authorization"] ?? "")")
        : .answer(status: 401, body: "no such key: \(request.headers["authorization"] ?? "")")
    }
    defer { server.stop() }
    let result = try run(server)
    guard case .missing(let reason) = result.verdicts[0] else {
      Issue.record("\(result.verdicts)")
      return
    }
    #expect(reason.contains("400") && !reason.contains(Self.key))
    let failure = #expect(throws: JudgeFailure.self) { try run(server, samples: 3) }
    #expect(failure?.message.contains("401") == true && failure?.message.contains(Self.key) == false)
  }

  @Test("N06: the key is written nowhere, even if the service repeats it")
  func keyIsSecret() throws {
    let server = try LocalServer { request, _ in
      .answer(status: 200, body: Answers.openAI("\(request.headers["authorization"] ?? "") {\"score\": 9}"))
    }
    defer { server.stop() }
    #expect(try run(server, samples: 2).verdicts == [0: .score(9), 1: .score(9)])
    let text = try leftovers()
    #expect(text.contains("•••") && !text.contains(Self.key))
  }

  @Test("redirects are not followed: a key must not go to another host")
  func redirects() throws {
    let other = try LocalServer { _, _ in .answer(status: 200, body: Answers.openAI("{\"score\": 99}")) }
    defer { other.stop() }
    let server = try LocalServer { _, _ in
      .answer(status: 307, headers: ["Location": "http://127.0.0.1:\(other.port)/v1/chat/completions"], body: "")
    }
    defer { server.stop() }
    #expect(throws: JudgeFailure.self) { try run(server) }
    #expect(other.requests.isEmpty)
  }

  /// Stops the run after some answers, before or after the service has seen the request.
  private final class KilledTransport: HTTPTransport {
    let system = SystemTransport()
    let left: Mutex<Int>
    let afterSending: Bool

    init(after count: Int, afterSending: Bool) {
      left = Mutex(count)
      self.afterSending = afterSending
    }

    func send(_ request: HTTPRequest) throws -> HTTPResponse {
      let isLast = left.withLock { left in
        left -= 1
        return left < 0
      }
      if isLast, !afterSending { throw Interrupted() }
      let response = try system.send(request)
      if isLast { throw Interrupted() }
      return response
    }
  }

  @Test(
    "after a stop at any request none is lost, and only the one under way is sent again, as the same",
    arguments: 0..<5)
  func killed(at request: Int) throws {
    let server = try LocalServer { _, _ in .answer(status: 200, body: Answers.openAI("{\"score\": 70}")) }
    defer { server.stop() }
    #expect(throws: Interrupted.self) {
      try run(server, samples: 5, transport: KilledTransport(after: request, afterSending: true))
    }
    #expect(throws: Interrupted.self) {
      try run(server, samples: 5, transport: KilledTransport(after: 0, afterSending: false))
    }
    let result = try run(server, samples: 5)
    #expect(result.verdicts.count == 5 && result.verdicts.values.allSatisfy { $0 == .score(70) })
    let keys = server.requests.compactMap { $0.headers["idempotency-key"] }
    // Five requests and one repetition: of the one whose answer was not on disk yet.
    #expect(keys.count == 6 && Set(keys).count == 5)
  }
}
