# One image for web, worker, beat and migrations: see docker-compose.yml.
FROM python:3.13.13-slim-trixie

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIRECTORY=/var/lib/sidechart

RUN useradd --system --uid 10001 --home-dir /var/lib/sidechart --create-home sidechart && \
    install --directory --owner=sidechart --mode=0700 /var/lib/sidechart/exports /var/lib/sidechart/backups

WORKDIR /app

COPY requirements/base.txt requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/base.txt

COPY . .

# collectstatic needs production settings. These values are for this command only; no container has them.
RUN BASE_DOMAIN=build.example CLINIKO_CONTACT_EMAIL=build@build.example \
    SECRET_KEY=only-while-building-qT7vXc2mLz9RkWn4bYp8sHd3fJg6aEuK0i \
    SEALING_KEYS=only-while-building-B4xN8vKc2mQz7wRt \
    python manage.py collectstatic --noinput

USER sidechart
EXPOSE 8000

CMD ["gunicorn", "saas.wsgi", "--bind=0.0.0.0:8000"]
