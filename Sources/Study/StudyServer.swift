import Evaluation
import FlyingFox
import FlyingSocks
import Foundation
import Media
import Runtime

/// Shows a study to participants and takes their votes.
///
/// Pages know clips only as A, B, C: which system is behind a letter is worked out anew for each request from the
/// participant's number. Only files that the study names are sent.
package struct StudyServer: Sendable {
  private let plan: StudyPlan
  private let store: VoteStore
  private let server: HTTPServer

  static let letters = ["A", "B", "C", "D", "E", "F", "G", "H"]
  /// Bytes of a vote at most.
  private static let mostBytes = 4096

  /// - Parameters:
  ///   - host: address of the interface; 127.0.0.1 is reached from this machine only.
  ///   - port: 0 takes any that is free.
  package init(_ plan: StudyPlan, _ store: VoteStore, host: String = "127.0.0.1", port: UInt16) throws {
    self.plan = plan
    self.store = store
    do {
      let address = try sockaddr_in.inet(ip4: host, port: port)
      server = HTTPServer(address: address, timeout: 30, logger: .disabled)
    } catch {
      throw StudyFailure.server(address: "\(host):\(port)", reason: "not the IPv4 address of an interface")
    }
  }

  /// Serves until the task is cancelled.
  package func run() async throws {
    await addRoutes()
    do {
      try await server.run()
    } catch is CancellationError {
      return
    } catch {
      throw StudyFailure.server(address: "the given address", reason: error.localizedDescription)
    }
  }

  /// The port that is served, once it is.
  package func port() async throws -> UInt16 {
    try await server.waitUntilListening()
    switch await server.listeningAddress {
    case .ip4(_, let port), .ip6(_, let port): return port
    default: throw StudyFailure.server(address: "the given address", reason: "it is no port")
    }
  }

  package func stop() async { await server.stop(timeout: 1) }

  private func addRoutes() async {
    await server.appendRoute("GET /") { _ in
      Self.answer(.ok, "text/html; charset=utf-8", Data(Self.page.utf8))
    }
    await server.appendRoute("GET /question") { request in
      guard let participant = Self.participant(request) else { return Self.answer(.badRequest) }
      return try Self.json(question(for: participant))
    }
    await server.appendRoute("POST /vote") { request in try await take(request) }
    await server.appendRoute("GET /reference") { request in
      guard let question = question(request) else { return Self.answer(.notFound) }
      return try await Self.file(question.reference, request)
    }
    await server.appendRoute("GET /image") { request in
      guard let question = question(request) else { return Self.answer(.notFound) }
      let picture = try VideoReader.readImage(path: question.target)
      return Self.answer(.ok, "image/png", try ImageWriter.pngData(picture, path: question.target))
    }
    await server.appendRoute("GET /clip") { request in
      guard let question = question(request), let participant = Self.participant(request),
        let place = Self.parameter("letter", request).flatMap({ Self.letters.firstIndex(of: $0) }),
        place < plan.systems.count
      else { return Self.answer(.notFound) }
      return try await Self.file(question.clips[plan.order(for: participant, row: question.row)[place]], request)
    }
  }

  static let page: String = {
    let parts = [PackageResources.study_html, PackageResources.study_css, PackageResources.study_js]
    let texts = parts.map { String(decoding: $0, as: UTF8.self) }
    return texts[0].replacingOccurrences(of: "/*style*/", with: texts[1])
      .replacingOccurrences(of: "/*script*/", with: texts[2])
  }()

  // MARK: - Questions and votes

  struct NextQuestion: Codable, Equatable {
    /// Nil when there is nothing left to ask.
    let row: Int?
    let letters: [String]
    let done: Int
    let total: Int
  }

  func question(for participant: String) throws -> NextQuestion {
    let finished = try store.finishedRows(of: participant)
    let row = plan.rows(for: participant).first { !finished.contains($0) }
    return NextQuestion(
      row: row, letters: Array(Self.letters.prefix(plan.systems.count)), done: finished.count,
      total: plan.questions.count)
  }

  struct Choice: Codable {
    let participant: String
    let row: Int
    let alignment: String
    let quality: String
  }

  private func take(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard let length = request.headers[.contentLength].flatMap(Int.init), (0...Self.mostBytes).contains(length) else {
      return Self.answer(.payloadTooLarge)
    }
    // Forms of other sites cannot send this type without asking first.
    guard request.headers[.contentType]?.hasPrefix("application/json") == true,
      let choice = try? JSONDecoder().decode(Choice.self, from: await request.bodyData),
      Self.isParticipant(choice.participant), plan.question(row: choice.row) != nil
    else { return Self.answer(.badRequest) }
    let order = plan.order(for: choice.participant, row: choice.row)
    let votes = [(StudyAspect.alignment, choice.alignment), (.quality, choice.quality)].compactMap { aspect, letter in
      Self.letters.firstIndex(of: letter).flatMap { place in
        place < order.count
          ? Vote(participant: choice.participant, row: choice.row, aspect: aspect, system: plan.systems[order[place]])
          : nil
      }
    }
    guard votes.count == StudyAspect.allCases.count else { return Self.answer(.badRequest) }
    try store.store(votes)
    return try Self.json(question(for: choice.participant))
  }

  // MARK: - Requests and answers

  private static func parameter(_ name: String, _ request: HTTPRequest) -> String? {
    request.query.first { $0.name == name }?.value
  }

  private static func participant(_ request: HTTPRequest) -> String? {
    parameter("participant", request).flatMap { isParticipant($0) ? $0 : nil }
  }

  static func isParticipant(_ text: String) -> Bool {
    (16...64).contains(text.utf8.count) && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
  }

  private func question(_ request: HTTPRequest) -> StudyPlan.Question? {
    Self.parameter("row", request).flatMap(Int.init).flatMap { plan.question(row: $0) }
  }

  private static func file(_ path: String, _ request: HTTPRequest) async throws -> HTTPResponse {
    var request = request
    // Anything but "from" and "from to" is answered with the whole file.
    if let range = request.headers[.range], range.wholeMatch(of: /bytes=\d{1,15}-\d{0,15}/) == nil {
      request.headers[.range] = nil
    }
    let handler = FileHTTPHandler(
      path: URL(fileURLWithPath: path), contentType: StudyPlan.contentType(of: path) ?? "application/octet-stream")
    return try await handler.handleRequest(request)
  }

  private static func json(_ value: some Encodable) throws -> HTTPResponse {
    answer(.ok, "application/json", try JSONText.encode(value))
  }

  private static func answer(
    _ status: HTTPStatusCode, _ type: String = "text/plain", _ body: Data = Data()
  ) -> HTTPResponse {
    HTTPResponse(
      statusCode: status,
      headers: [
        .contentType: type, .cacheControl: "no-store", HTTPHeader("X-Content-Type-Options"): "nosniff",
        HTTPHeader("Content-Security-Policy"):
          "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'",
      ], body: body)
  }
}
