package io.kvbm.spring.boot.discovery;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** HTTP by hand, for what no client would send. */
final class Wire {

    private static final int PATIENCE_MILLIS = 20_000;

    private static final Pattern LENGTH = Pattern.compile("\r\nContent-Length: (\\d+)\r\n");

    private Wire() {}

    /** What came back. */
    record Reply(String text) {

        int status() {
            return Integer.parseInt(text.substring(9, 12));
        }

        String body() {
            return text.substring(text.indexOf("\r\n\r\n") + 4);
        }
    }

    static String request(String method, String target, Map<String, String> headers) {
        StringBuilder request = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n"
                + "Connection: close\r\n");
        headers.forEach((name, value) -> request.append(name).append(": ").append(value).append("\r\n"));
        return request.toString();
    }

    /** Sends a request without a body. */
    static Reply send(int port, String method, String target, Map<String, String> headers) throws IOException {
        return send(port, request(method, target, headers) + "\r\n", Member.NOTHING);
    }

    static Reply send(int port, String head, byte[] body) throws IOException {
        try (Socket socket = open(port)) {
            OutputStream out = socket.getOutputStream();
            out.write(head.getBytes(StandardCharsets.ISO_8859_1));
            out.write(body);
            out.flush();
            return reply(socket);
        }
    }

    static Socket open(int port) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(PATIENCE_MILLIS);
        return socket;
    }

    /** Everything until the other side closes, or all that it has said there would be. */
    private static Reply reply(Socket socket) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        InputStream in = socket.getInputStream();
        for (int next = in.read(); next >= 0; next = in.read()) {
            all.write(next);
            String text = next == '\n' ? all.toString(StandardCharsets.ISO_8859_1) : "";
            if (text.endsWith("\r\n\r\n")) {
                Matcher length = LENGTH.matcher(text);
                all.writeBytes(length.find() ? in.readNBytes(Integer.parseInt(length.group(1))) : in.readAllBytes());
                break;
            }
        }
        return new Reply(all.toString(StandardCharsets.ISO_8859_1));
    }
}
